import { isSecretTls, type TlsOptions } from '../world/tls-options.ts'

/** Flags of a node that is to be secured as the others are, for a command that is meant to be copied; where its files will lie, this machine cannot know. */
export function securityFlags(tls: TlsOptions | undefined): string {
  if (tls === undefined) return ''
  return isSecretTls(tls)
    ? ' --secret-file ./cluster.secret'
    : ' --tls-ca ./ca.pem --tls-cert ./node.pem --tls-key ./node.key'
}
