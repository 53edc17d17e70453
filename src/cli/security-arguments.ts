import { type Command, Option } from 'commander'
import type { RateLimitOptions } from '../access/rate-limits.ts'
import { invalidArgument } from '../contracts/errors.ts'
import type { NodeServerOptions } from '../node/node-server.ts'
import type { TlsOptions } from '../world/tls-options.ts'
import { wholeNumber } from './arguments.ts'

/** How a node is protected, as a command takes it. */
export interface SecurityArguments {
  readonly secretFile?: string
  readonly tlsCa?: string
  readonly tlsCert?: string
  readonly tlsKey?: string
  readonly tlsClients?: string
  readonly tlsNodeNames?: string
  readonly httpCert?: string
  readonly httpKey?: string
  readonly httpInsecure?: boolean
  readonly requestsPerSecond?: string
  readonly bytesPerSecond?: string
}

export function withSecurityOptions(command: Command): Command {
  return command
    .option(
      '--secret-file <file>',
      'the cluster secret, the same on every node: connections are secured by it',
    )
    .option('--tls-ca <file>', 'PEM of the authority that certificates of nodes and clients come from')
    .option('--tls-cert <file>', "PEM of this node's certificate")
    .option('--tls-key <file>', 'PEM of its key')
    .addOption(
      new Option('--tls-clients <rule>', 'whether clients must show a certificate').choices([
        'required',
        'optional',
      ]),
    )
    .option(
      '--tls-node-names <names>',
      'names that certificates of nodes may bear (default: that of its own)',
    )
    .option('--http-cert <file>', 'PEM of the certificate of the HTTP address (default: that of --tls-cert)')
    .option('--http-key <file>', 'PEM of its key')
    .option(
      '--http-insecure',
      'serve HTTP to other machines in the clear: a proxy adds TLS and keeps strangers out',
    )
    .option('--requests-per-second <number>', 'what one caller may ask of this node (default: no limit)')
    .option('--bytes-per-second <number>', 'what one caller may send to this node (default: no limit)')
}

type Security = Pick<NodeServerOptions, 'tls' | 'httpTls' | 'isHttpInsecure' | 'rateLimits'>

/** Throws `invalid-argument` where the arguments do not go together. */
export function securityFrom(given: SecurityArguments): Security {
  const tls = tlsFrom(given)
  const { httpCert, httpKey, httpInsecure } = given
  if ((httpCert === undefined) !== (httpKey === undefined))
    throw invalidArgument('--http-key', httpKey, 'given together with --http-cert')
  const rateLimits = rateLimitsFrom(given)
  return {
    ...(tls === undefined ? {} : { tls }),
    ...(httpCert === undefined || httpKey === undefined
      ? {}
      : { httpTls: { certFile: httpCert, keyFile: httpKey } }),
    ...(httpInsecure === undefined ? {} : { isHttpInsecure: httpInsecure }),
    ...(rateLimits === undefined ? {} : { rateLimits }),
  }
}

function tlsFrom(given: SecurityArguments): TlsOptions | undefined {
  const { secretFile, tlsCa, tlsCert, tlsKey, tlsClients, tlsNodeNames } = given
  const certificates = [tlsCa, tlsCert, tlsKey]
  const hasCertificates = certificates.some((each) => each !== undefined)
  if (secretFile !== undefined) {
    if (hasCertificates || tlsClients !== undefined || tlsNodeNames !== undefined)
      throw invalidArgument('--secret-file', secretFile, 'absent where --tls-… is given: one of the two')
    return { secretFile }
  }
  if (tlsCa === undefined || tlsCert === undefined || tlsKey === undefined) {
    if (!hasCertificates && tlsClients === undefined && tlsNodeNames === undefined) return undefined
    throw invalidArgument(
      '--tls-ca',
      tlsCa ?? '(absent)',
      'given together with --tls-cert and --tls-key: a node needs all three',
    )
  }
  return {
    caFile: tlsCa,
    certFile: tlsCert,
    keyFile: tlsKey,
    ...(tlsClients === undefined ? {} : { clientCertificates: tlsClients as 'required' | 'optional' }),
    ...(tlsNodeNames === undefined ? {} : { nodeNames: tlsNodeNames.split(',').map((name) => name.trim()) }),
  }
}

function rateLimitsFrom({
  requestsPerSecond,
  bytesPerSecond,
}: SecurityArguments): RateLimitOptions | undefined {
  if (requestsPerSecond === undefined && bytesPerSecond === undefined) return undefined
  return {
    ...(requestsPerSecond === undefined
      ? {}
      : { requestsPerSecond: wholeNumber('--requests-per-second', requestsPerSecond) }),
    ...(bytesPerSecond === undefined
      ? {}
      : { bytesPerSecond: wholeNumber('--bytes-per-second', bytesPerSecond) }),
  }
}
