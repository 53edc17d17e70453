import { readFileSync } from 'node:fs'
import { invalidArgument } from '../contracts/errors.ts'
import type { EtcdStoreOptions } from '../engines/etcd/etcd-store.ts'
import { isSecretTls } from '../world/tls-options.ts'
import { type ClientSecurity, credentialsOf, tlsOf } from './client-security.ts'

type Environment = Readonly<Record<string, string | undefined>>

/**
 * How a client of etcd shows who it is, and how its connections are secured: by the same options and variables as a client of a cluster, as far as etcd knows such
 * things. It knows names with passwords, and certificates. Throws `invalid-argument`.
 */
export function etcdSecurityOf(
  options: ClientSecurity,
  env: Environment = process.env,
): Pick<EtcdStoreOptions, 'tls' | 'user'> {
  if (options.token !== undefined)
    throw invalidArgument('token', 'given', 'absent: etcd takes `user` and `password`')
  if (options.secret !== undefined) throw invalidArgument('secret', 'given', 'absent: etcd takes `tls`')
  // What is there for a cluster beside it says nothing to an etcd.
  const known = {
    ...env,
    ALTHING_TOKEN: undefined,
    ALTHING_SECRET: undefined,
    ALTHING_SECRET_FILE: undefined,
  }
  const { user: name, password } = credentialsOf(options, known) ?? {}
  const tls = tlsOf(options, known)
  return {
    ...(name === undefined || password === undefined ? {} : { user: { name, password } }),
    ...(tls === undefined || isSecretTls(tls) ? {} : { tls: contentsOf(tls) }),
  }
}

function contentsOf(tls: NonNullable<ClientSecurity['tls']>): NonNullable<EtcdStoreOptions['tls']> {
  const { caFile, certFile, keyFile, serverName } = tls
  return {
    ca: read('tls.caFile', caFile),
    ...(certFile === undefined ? {} : { cert: read('tls.certFile', certFile) }),
    ...(keyFile === undefined ? {} : { key: read('tls.keyFile', keyFile) }),
    ...(serverName === undefined ? {} : { serverName }),
  }
}

function read(field: string, file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw invalidArgument(field, file, `a PEM file that can be read (${String(cause)})`)
  }
}
