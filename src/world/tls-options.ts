import { invalidArgument } from '../contracts/errors.ts'

/** How the connections of a world are secured. Structured-cloneable: threads get the same. */
export type TlsOptions = CertificateTls | SecretTls

/**
 * TLS with certificates. A node needs all three files; a client needs `caFile`, and a certificate of its own where the nodes ask for one. Files are read
 * again when they have changed: connections made from then on use what they hold.
 */
export interface CertificateTls {
  /** PEM of the authorities that certificates of the other side must come from. */
  readonly caFile: string
  /** PEM of the own certificate, with what lies between it and the authority. */
  readonly certFile?: string
  readonly keyFile?: string
  /**
   * Whether a client must show a certificate of the authority. `'optional'`: one that shows none is told apart by its token or password alone, and has no
   * access while access control is off. Default `'required'`. Nodes always must.
   */
  readonly clientCertificates?: 'required' | 'optional'
  /** Names (common name or DNS name) that a node's certificate may bear. Default: the common name of the own certificate. */
  readonly nodeNames?: readonly string[]
  /** Name expected in the certificates of nodes, in place of the host dialled. */
  readonly serverName?: string
}

/**
 * TLS with a secret that both sides know (TLS 1.3 with a pre-shared key and fresh Diffie-Hellman keys), in place of certificates. A text has one secret a line: the
 * first is used to dial, each is accepted. Of a cluster secret (16 bytes or more) the keys of nodes and of clients are derived; a client secret
 * (see `clientSecretOf`) opens a client's connections only.
 */
export type SecretTls =
  | { readonly secret: string; readonly secretFile?: undefined }
  | { readonly secretFile: string; readonly secret?: undefined }

export function isSecretTls(options: TlsOptions): options is SecretTls {
  return 'secret' in options || 'secretFile' in options
}

/** Throws `invalid-argument`. */
export function validateTls(options: TlsOptions): void {
  if (isSecretTls(options)) {
    const hasBoth = options.secret !== undefined && options.secretFile !== undefined
    if (hasBoth || (options.secret ?? options.secretFile) === undefined)
      throw invalidArgument('tls', Object.keys(options), 'either `secret` or `secretFile`')
    return
  }
  if (typeof options.caFile !== 'string' || options.caFile === '')
    throw invalidArgument('tls.caFile', options.caFile, 'the path of a PEM file')
  if ((options.certFile === undefined) !== (options.keyFile === undefined))
    throw invalidArgument('tls.keyFile', options.keyFile, 'given together with tls.certFile, or not at all')
}
