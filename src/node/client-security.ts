import type { Credentials } from '../access/access-control.ts'
import { invalidArgument } from '../contracts/errors.ts'
import type { CertificateTls, TlsOptions } from '../world/tls-options.ts'

/** How a program shows who it is, and how its connections are secured. Never part of a URL: those end up in logs. */
export interface ClientSecurity {
  /** A token, as `althing access token create` prints it. Default: `$ALTHING_TOKEN`. */
  readonly token?: string
  /** With `password`, in place of a token. Default: `$ALTHING_USER`. */
  readonly user?: string
  /** Default: `$ALTHING_PASSWORD`. */
  readonly password?: string
  /** The client secret (`althing access client-secret`), where the cluster has one. Default: `$ALTHING_SECRET`, or what the file `$ALTHING_SECRET_FILE` holds. */
  readonly secret?: string
  /** Certificates, where the cluster uses them. Default: `$ALTHING_TLS_CA`, `$ALTHING_TLS_CERT` and `$ALTHING_TLS_KEY`, paths of PEM files. */
  readonly tls?: CertificateTls
}

type Environment = Readonly<Record<string, string | undefined>>

/** `undefined`: nothing is shown. Throws `invalid-argument`. */
export function credentialsOf(
  options: ClientSecurity,
  env: Environment = process.env,
): Credentials | undefined {
  const given = shownBy(options)
  if (given !== undefined) return given
  return shownBy({
    ...named('token', env['ALTHING_TOKEN']),
    ...named('user', env['ALTHING_USER']),
    ...named('password', env['ALTHING_PASSWORD']),
  })
}

/** `undefined`: connections are not secured. Throws `invalid-argument`. */
export function tlsOf(
  options: Pick<ClientSecurity, 'secret' | 'tls'>,
  env: Environment = process.env,
): TlsOptions | undefined {
  const { secret, tls } = options
  if (secret !== undefined && tls !== undefined)
    throw invalidArgument(
      'secret',
      'given',
      'absent where `tls` is given: connections are secured by one of the two',
    )
  if (secret !== undefined) return { secret }
  if (tls !== undefined) return tls
  if (isGiven(env['ALTHING_SECRET'])) return { secret: env['ALTHING_SECRET'] }
  if (isGiven(env['ALTHING_SECRET_FILE'])) return { secretFile: env['ALTHING_SECRET_FILE'] }
  const caFile = env['ALTHING_TLS_CA']
  if (!isGiven(caFile)) return undefined
  return {
    caFile,
    ...named('certFile', env['ALTHING_TLS_CERT']),
    ...named('keyFile', env['ALTHING_TLS_KEY']),
    ...named('serverName', env['ALTHING_TLS_SERVER_NAME']),
  }
}

function shownBy({ token, user, password }: ClientSecurity): Credentials | undefined {
  if (token !== undefined && (user !== undefined || password !== undefined))
    throw invalidArgument('token', 'given', 'absent where a user and a password are given')
  if ((user === undefined) !== (password === undefined))
    throw invalidArgument('password', user === undefined ? 'given' : 'absent', 'given together with `user`')
  if (token !== undefined) return { token: token.trim() }
  return user === undefined || password === undefined ? undefined : { user, password }
}

function named<Name extends string>(
  name: Name,
  value: string | undefined,
): { readonly [Key in Name]?: string } {
  return isGiven(value) ? ({ [name]: value } as { [Key in Name]?: string }) : {}
}

function isGiven(value: string | undefined): value is string {
  return value !== undefined && value !== ''
}
