import { invalidArgument } from '../../contracts/errors.ts'

/** Where in a database a store lies. */
export interface Place {
  /** The name of the schema, as given. */
  readonly name: string
  /** The same as a quoted identifier. */
  readonly schema: string
  /** What changes are notified under (`LISTEN`). */
  readonly channel: string
}

export const defaultSchema = 'althing'

/** Throws `invalid-argument`. */
export function placeOf(name: string): Place {
  if (!/^[a-z_][a-z0-9_]{0,40}$/.test(name) || name.startsWith('pg_'))
    throw invalidArgument(
      'schema',
      name,
      'a name of lower-case letters, digits and _, at most 41 of them, not beginning with pg_',
    )
  return { name, schema: `"${name}"`, channel: `althing_${name}` }
}
