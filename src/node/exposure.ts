import { invalidArgument } from '../contracts/errors.ts'

const loopback = /^(127(\.\d{1,3}){3}|localhost|\[::1\]):\d{1,5}$/

export function isLoopback(address: string): boolean {
  return loopback.test(address)
}

export interface Exposure {
  /** `host:port` of the cluster's protocol. */
  readonly listen: string | undefined
  /** `host:port` of the HTTP face. */
  readonly http: string | undefined
  /** Connections between nodes and of clients are secured. */
  readonly isSecured: boolean
  /** The HTTP face has a certificate. */
  readonly hasHttpTls: boolean
  readonly isHttpInsecure: boolean
  /** `host:port` of the answers over DNS. */
  readonly dns?: string | undefined
  readonly isDnsInsecure?: boolean
}

/**
 * Refuses to be reached from other machines without protection (`invalid-argument`): nodes and clients have to prove what they are there, and passwords and tokens must not go over
 * a network in the clear.
 */
export function assertMayListen(exposure: Exposure): void {
  const { listen, http, isSecured, hasHttpTls, isHttpInsecure, dns, isDnsInsecure = false } = exposure
  if (listen !== undefined && !isLoopback(listen) && !isSecured) {
    throw invalidArgument(
      'listen',
      listen,
      'an address of this machine (127.0.0.1, localhost or [::1]) while connections are not secured: give every node the same cluster secret ' +
        '(--secret-file), or certificates (--tls-ca, --tls-cert, --tls-key); docs/blocks/access.md has both word for word',
    )
  }
  if (http !== undefined && !isLoopback(http) && !hasHttpTls && !isHttpInsecure) {
    throw invalidArgument(
      'http',
      http,
      'an address of this machine while the HTTP face has no certificate: give --http-cert and --http-key (or --tls-cert and --tls-key), or, behind a ' +
        'proxy that adds TLS, --http-insecure',
    )
  }
  if (dns !== undefined && !isLoopback(dns) && !isDnsInsecure) {
    throw invalidArgument(
      'dns',
      dns,
      'an address of this machine: whoever reaches it is told where every service is, and nothing of it is encrypted; to serve a network that may know, --dns-insecure',
    )
  }
}
