import { X509Certificate } from 'node:crypto'
import tls from 'node:tls'
import { AlthingError, invalidArgument } from '../contracts/errors.ts'
import type { ConnectionIdentity, Logger } from '../contracts/world.ts'
import { type KeyRole, keysOf, type SharedKey } from './cluster-secret.ts'
import { FreshFiles } from './fresh-files.ts'
import {
  type CertificateTls,
  isSecretTls,
  type SecretTls,
  type TlsOptions,
  validateTls,
} from './tls-options.ts'

/** How sockets become secured connections: what TLS is told, and what it has found out about the other side. */
export interface TransportSecurity {
  /** Throws `invalid-argument` when what is configured does not suffice to accept connections. */
  serverOptions(): tls.TlsOptions
  /** Brings a server up to what the files hold now. */
  refresh(server: tls.Server): void
  /** Who is at the other end of an accepted connection; a text: why it is refused. */
  identify(socket: tls.TLSSocket): ConnectionIdentity | string
  /** Throws `invalid-argument` when what is configured does not suffice to dial so. */
  clientOptions(host: string, as: KeyRole): tls.ConnectionOptions
  /** Who was dialled: the handshake has checked it. */
  dialled(socket: tls.TLSSocket, as: KeyRole): ConnectionIdentity
  /** Looks at the files now. */
  reload(): void
}

const handshakeMsMax = 5_000

/** Throws `invalid-argument`: a file cannot be read, or its content makes no sense. */
export function createTransportSecurity(options: TlsOptions, logger: Logger): TransportSecurity {
  validateTls(options)
  return isSecretTls(options) ? new SecretSecurity(options, logger) : new CertificateSecurity(options, logger)
}

/** TLS 1.3 with pre-shared keys (RFC 8446, section 4.2.11, mode psk_dhe_ke): both sides prove the key, and past traffic stays sealed when it leaks. */
class SecretSecurity implements TransportSecurity {
  readonly #keys: FreshFiles<readonly SharedKey[]>
  /** Which key a caller has chosen. It counts only once the handshake is over: then the caller has proved it. */
  readonly #chosen = new WeakMap<tls.TLSSocket, SharedKey>()

  constructor(options: SecretTls, logger: Logger) {
    const { secret, secretFile } = options
    const paths = secretFile === undefined ? [] : [secretFile]
    this.#keys = new FreshFiles(paths, ([text]) => keysOf(text ?? secret ?? ''), logger)
  }

  serverOptions(): tls.TlsOptions {
    this.#keyFor('node')
    return {
      ...pskOnly,
      handshakeTimeout: handshakeMsMax,
      pskCallback: (socket, identity) => {
        const key = this.#keys.value.find((each) => each.identity === identity)
        if (key === undefined) return null
        this.#chosen.set(socket as tls.TLSSocket, key)
        return key.key
      },
    } as tls.TlsOptions
  }

  /** The keys are looked up for each handshake. */
  refresh(): void {}

  identify(socket: tls.TLSSocket): ConnectionIdentity | string {
    const key = this.#chosen.get(socket)
    // A resumed session would come without its key having been asked for.
    return key === undefined ? 'it has shown no key' : identityOf(key.role)
  }

  clientOptions(_host: string, as: KeyRole): tls.ConnectionOptions {
    const { key, identity } = this.#keyFor(as)
    return {
      ...pskOnly,
      pskCallback: () => ({ psk: key, identity }),
      // There is no certificate: that the other side knows the key is the proof.
      checkServerIdentity: () => undefined,
    }
  }

  /** One that knows the clients' key may be another client: only the nodes' key proves a node. */
  dialled(_socket: tls.TLSSocket, as: KeyRole): ConnectionIdentity {
    return identityOf(as)
  }

  reload(): void {
    this.#keys.reload()
  }

  #keyFor(role: KeyRole): SharedKey {
    const key = this.#keys.value.find((each) => each.role === role)
    if (key !== undefined) return key
    throw invalidArgument('secret', 'a client secret', 'the cluster secret: this is a node')
  }
}

const pskOnly = { minVersion: 'TLSv1.3', ciphers: 'TLS_AES_128_GCM_SHA256' } as const

function identityOf(role: KeyRole): ConnectionIdentity {
  return { kind: 'secret', name: role, isNode: role === 'node' }
}

interface Certificates {
  readonly context: { readonly ca: string; readonly cert?: string; readonly key?: string }
  readonly nodeNames: ReadonlySet<string>
}

class CertificateSecurity implements TransportSecurity {
  readonly #options: CertificateTls
  readonly #files: FreshFiles<Certificates>
  /** What each server was last brought up to. */
  readonly #served = new WeakMap<tls.Server, Certificates>()

  constructor(options: CertificateTls, logger: Logger) {
    this.#options = options
    const { caFile, certFile, keyFile } = options
    const paths = certFile === undefined || keyFile === undefined ? [caFile] : [caFile, certFile, keyFile]
    this.#files = new FreshFiles(paths, (contents) => certificatesOf(options, contents), logger)
  }

  serverOptions(): tls.TlsOptions {
    const { context } = this.#files.value
    if (context.cert === undefined)
      throw invalidArgument('tls.certFile', undefined, 'the certificate of this node, to listen with')
    return {
      ...context,
      minVersion: 'TLSv1.2',
      requestCert: true,
      // Judged in `identify`, where a client may be allowed to have none.
      rejectUnauthorized: false,
      handshakeTimeout: handshakeMsMax,
    }
  }

  refresh(server: tls.Server): void {
    const now = this.#files.value
    if (this.#served.get(server) === now) return
    if (this.#served.has(server)) server.setSecureContext({ ...now.context, minVersion: 'TLSv1.2' })
    this.#served.set(server, now)
  }

  identify(socket: tls.TLSSocket): ConnectionIdentity | string {
    const certificate = socket.getPeerX509Certificate()
    if (certificate === undefined) {
      if (this.#options.clientCertificates === 'optional')
        return { kind: 'anonymous', name: '', isNode: false }
      return 'it has shown no certificate'
    }
    if (!socket.authorized) return `its certificate is refused: ${String(socket.authorizationError)}`
    return this.#identityOf(socket)
  }

  clientOptions(host: string, as: KeyRole): tls.ConnectionOptions {
    const { context, nodeNames } = this.#files.value
    if (as === 'node' && context.cert === undefined)
      throw invalidArgument(
        'tls.certFile',
        undefined,
        'the certificate of this node, to dial other nodes with',
      )
    const { serverName } = this.#options
    return {
      ...context,
      minVersion: 'TLSv1.2',
      ...(serverName === undefined ? {} : { servername: serverName }),
      checkServerIdentity: (_name, certificate) => {
        const problem = tls.checkServerIdentity(serverName ?? host, certificate)
        if (problem !== undefined || as === 'client') return problem
        if (namesOf(certificate).some((name) => nodeNames.has(name))) return undefined
        return new Error('its certificate bears none of the names allowed for a node')
      },
    }
  }

  dialled(socket: tls.TLSSocket): ConnectionIdentity {
    return this.#identityOf(socket)
  }

  reload(): void {
    this.#files.reload()
  }

  #identityOf(socket: tls.TLSSocket): ConnectionIdentity {
    const names = namesOf(socket.getPeerCertificate())
    const { nodeNames } = this.#files.value
    return { kind: 'certificate', name: names[0] ?? '', isNode: names.some((name) => nodeNames.has(name)) }
  }
}

function certificatesOf(options: CertificateTls, [ca = '', cert, key]: readonly string[]): Certificates {
  const own = cert === undefined ? undefined : parsed(options.certFile ?? '', cert)
  const context = { ca, ...(cert === undefined || key === undefined ? {} : { cert, key }) }
  try {
    // Refuses a key that does not belong to the certificate, and PEM that is half written.
    tls.createSecureContext(context)
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new AlthingError('invalid-argument', `the certificates cannot be used: ${reason}`, {
      cause,
      outcome: 'none',
    })
  }
  parsed(options.caFile, ca)
  const ownName = /^CN=(.+)$/m.exec(own?.subject ?? '')?.[1]
  return { context, nodeNames: new Set(options.nodeNames ?? (ownName === undefined ? [] : [ownName])) }
}

function parsed(path: string, pem: string): X509Certificate {
  try {
    return new X509Certificate(pem)
  } catch (cause) {
    throw new AlthingError('invalid-argument', `${path} holds no certificate in PEM`, {
      cause,
      outcome: 'none',
    })
  }
}

/** The common name first, then the DNS names. Names in quotes have characters that no name of ours has: they are passed over. */
function namesOf(certificate: tls.PeerCertificate): string[] {
  const common: unknown = certificate.subject?.CN
  const dns = (certificate.subjectaltname ?? '')
    .split(', ')
    .flatMap((entry) => /^DNS:([A-Za-z0-9._-]+)$/.exec(entry)?.[1] ?? [])
  return [...(typeof common === 'string' ? [common] : []), ...dns]
}
