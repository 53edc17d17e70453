/** The real world: this machine's clock, sockets, files and threads. For programs that run the parts of Althing by themselves. */
export { NodeAesGcm } from './aes-gcm.ts'
export { NodeHttpProxyHost } from './http-proxy.ts'
export { NodeLogger } from './logger.ts'
export { createNodeWorld, type NodeWorldOptions } from './node-world.ts'
export { clientSecretOf } from './cluster-secret.ts'
export type { CertificateTls, SecretTls, TlsOptions } from './tls-options.ts'
