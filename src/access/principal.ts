import { AlthingError } from '../contracts/errors.ts'
import { type Grant, RightSet, rootGrant } from './grants.ts'

/**
 * Who a caller is, in a form that goes from node to node. It names what the caller has shown and not what that allows: each node looks that up in
 * its own copy of the access state, so that what has been revoked counts for nothing anywhere.
 */
export type PrincipalRef =
  | readonly ['anonymous']
  /** A node of the cluster, for the cluster's own purposes. */
  | readonly ['node']
  | readonly ['token', id: string]
  /** Signed in with the password that the user had in this epoch. */
  | readonly ['user', name: string, epoch: string]
  | readonly ['certificate', name: string]

export const anonymous: PrincipalRef = ['anonymous']
export const node: PrincipalRef = ['node']

/** Throws `corrupt`. */
export function principalRefFrom(wire: unknown): PrincipalRef {
  if (Array.isArray(wire) && wire.every((part) => typeof part === 'string')) {
    const [kind, name, epoch] = wire as string[]
    if (kind === 'anonymous' || kind === 'node') return [kind]
    if ((kind === 'token' || kind === 'certificate') && name !== undefined) return [kind, name]
    if (kind === 'user' && name !== undefined && epoch !== undefined) return [kind, name, epoch]
  }
  throw new AlthingError('corrupt', 'malformed principal')
}

/** A caller with what it may do. Holds for the moment: ask again for each request. */
export interface Principal {
  /** For the audit log. */
  readonly name: string
  /** A node is not a client: it sees the cluster's own keys too. */
  readonly isNode: boolean
  rightsIn(group: string | undefined): RightSet
}

/** Compiled once for each group asked for. */
export class GrantedPrincipal implements Principal {
  readonly name: string
  readonly isNode: boolean
  readonly #grants: readonly Grant[]
  readonly #rights = new Map<string | undefined, RightSet>()

  constructor(name: string, grants: readonly Grant[], isNode = false) {
    this.name = name
    this.isNode = isNode
    this.#grants = grants
  }

  rightsIn(group: string | undefined): RightSet {
    let rights = this.#rights.get(group)
    if (rights === undefined) {
      rights = new RightSet(this.#grants, group)
      this.#rights.set(group, rights)
    }
    return rights
  }
}

/** A node of the cluster itself. */
export const nodePrincipal: Principal = new GrantedPrincipal('node', [rootGrant], true)
/** Any caller while access control is off. */
export const openPrincipal: Principal = new GrantedPrincipal('', [rootGrant])
