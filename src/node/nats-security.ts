import { readFileSync } from 'node:fs'
import { invalidArgument } from '../contracts/errors.ts'
import { isSecretTls } from '../world/tls-options.ts'
import { type ClientSecurity, credentialsOf, tlsOf } from './client-security.ts'

type Environment = Readonly<Record<string, string | undefined>>

/**
 * How a client of NATS shows who it is, and how its connections are secured, in the words of NATS's own `connect`: by the same options and variables as a client of a cluster. What the URL
 * says of credentials goes before. Throws `invalid-argument`.
 */
export function natsSecurityOf(
  url: string,
  options: ClientSecurity,
  env: Environment = process.env,
): Readonly<Record<string, unknown>> {
  if (options.secret !== undefined) throw invalidArgument('secret', 'given', 'absent: NATS takes `tls`')
  // A secret that is there for a cluster beside it says nothing to NATS.
  const known = { ...env, ALTHING_SECRET: undefined, ALTHING_SECRET_FILE: undefined }
  const tls = tlsOf(options, known)
  return {
    ...(/^nats:\/\/[^/?#]*@/.test(url) ? {} : shown(options, known)),
    ...(tls === undefined || isSecretTls(tls) ? {} : { tls: contentsOf(tls) }),
  }
}

function shown(options: ClientSecurity, env: Environment): Readonly<Record<string, string>> {
  const { token, user, password } = credentialsOf(options, env) ?? {}
  if (token !== undefined) return { token }
  return user === undefined || password === undefined ? {} : { user, pass: password }
}

function contentsOf(tls: NonNullable<ClientSecurity['tls']>): Readonly<Record<string, string>> {
  const { caFile, certFile, keyFile } = tls
  return {
    ca: read('tls.caFile', caFile),
    ...(certFile === undefined ? {} : { cert: read('tls.certFile', certFile) }),
    ...(keyFile === undefined ? {} : { key: read('tls.keyFile', keyFile) }),
  }
}

function read(field: string, file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw invalidArgument(field, file, `a PEM file that can be read (${String(cause)})`)
  }
}
