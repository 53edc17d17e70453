import { invalidArgument } from '../../contracts/errors.ts'

/** Of the keys of a store. A program refuses a store of another. */
export const layoutVersion = 1

/** Where in a database a store lies: its keys share a hash tag, and so one slot of a cluster. */
export interface Place {
  readonly name: string
  /** In the order in which the scripts expect them. */
  readonly keys: readonly string[]
  /** Of them those that a read of single keys needs. */
  readonly keysOfGets: readonly string[]
  /** Revisions are published here. */
  readonly channel: string
  /** To try commands on. */
  readonly tried: string
  /** Of what is known of one client's commands. */
  session(client: string): string
}

export const defaultName = 'althing'

const parts = ['meta', 'index', 'heads', 'data', 'log', 'leases', 'expiry', 'owned', 'epochs', 'marks']

/** Throws `invalid-argument`. */
export function placeOf(name: string): Place {
  if (!/^[A-Za-z0-9_.:-]{1,64}$/.test(name))
    throw invalidArgument('prefix', name, 'a name of at most 64 letters, digits and _ . : -')
  const key = (part: string): string => `{${name}}:${part}`
  return {
    name,
    keys: parts.map(key),
    keysOfGets: ['meta', 'heads', 'data'].map(key),
    channel: key('changed'),
    tried: key('tried'),
    session: (client) => key(`session:${client}`),
  }
}
