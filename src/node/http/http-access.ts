import type { AccessControl, Credentials } from '../../access/access-control.ts'
import type { PrincipalRef } from '../../access/principal.ts'
import { authorizeRead, needAny } from '../../access/requirements.ts'
import { AlthingError } from '../../contracts/errors.ts'
import type { RangeRequest } from '../../contracts/store.ts'
import { clientRange } from '../../models/store/system-keys.ts'
import type { CallerStores } from './caller-stores.ts'
import type { HttpCaller } from './caller-context.ts'
import type { LoginSessions } from './login-sessions.ts'
import type { RouteAccess } from './route.ts'

export type HttpReach = 'local' | 'protected' | 'open'

export interface HttpAccessOptions {
  readonly control: AccessControl
  readonly stores: CallerStores
  readonly logins: LoginSessions
  /** `'local'`: only this machine reaches the address. `'protected'`: others do too, so nothing is served without access control. `'open'`: others do, and that is wanted. */
  readonly reach: HttpReach
}

/** Who calls the HTTP face, and whether it may ask for a route at all; what it may do there is decided by the nodes, key by key. */
export class HttpAccess {
  readonly control: AccessControl
  readonly logins: LoginSessions
  readonly #stores: CallerStores
  readonly #needsAccessControl: boolean
  readonly #isOpenToOthers: boolean

  constructor(options: HttpAccessOptions) {
    this.control = options.control
    this.logins = options.logins
    this.#stores = options.stores
    this.#needsAccessControl = options.reach === 'protected'
    this.#isOpenToOthers = options.reach === 'open'
  }

  /** Callers have to sign in, or somebody has said that they need not, although other machines can reach the address. */
  get isProtected(): boolean {
    return this.control.isEnabled || this.#isOpenToOthers
  }

  /** The caller by its `Authorization` header, or the cookie of the console. Rejects with `unauthenticated`, `overloaded` or `unavailable`. */
  async identify(request: Request, remoteAddress: string): Promise<PrincipalRef> {
    if (this.#needsAccessControl && !this.control.isEnabled) {
      throw new AlthingError(
        'permission-denied',
        'access control is off, and this address can be reached from other machines: switch it on (`althing access enable`), or start the node with --http-insecure',
        { outcome: 'none' },
      )
    }
    const header = request.headers.get('authorization')
    if (header !== null) return this.control.authenticate(credentialsIn(header), { remoteAddress })
    return this.logins.principal(request) ?? this.control.authenticate({}, { remoteAddress })
  }

  /** Throws `unauthenticated` or `permission-denied`. */
  authorize(principal: PrincipalRef, access: RouteAccess, what: string, remoteAddress: string): string {
    try {
      return this.#authorize(principal, access)
    } catch (error) {
      const who = principal[0] === 'anonymous' ? '' : (principal[1] ?? '')
      this.control.audit?.denied({ who, from: remoteAddress, what: `http ${what}` })
      throw error
    }
  }

  /** A read of this node's own copy: the only one that does not pass through a session. */
  authorizeOwnRead(principal: PrincipalRef, request: RangeRequest): RangeRequest {
    const range = clientRange(request)
    const { control } = this
    const caller = control.principal(principal)
    if (control.isEnabled && !caller.isNode) authorizeRead(caller.rightsIn(undefined), range)
    return range
  }

  /** For one request. The caller calls `release` when it has ended. */
  enter(principal: PrincipalRef): { readonly caller: HttpCaller; release(): void } {
    const { store, release } = this.#stores.take(principal)
    return { caller: { principal, store }, release }
  }

  #authorize(ref: PrincipalRef, access: RouteAccess): string {
    const { control } = this
    const principal = control.principal(ref)
    if (control.isEnabled && !principal.isNode) {
      const rights = principal.rightsIn(undefined)
      const seesAll = access === 'overview' && rights.covers('read', { key: '', end: null })
      if ((access === 'operator' || access === 'overview') && !seesAll) needAny(rights, 'admin')
    }
    return principal.name
  }
}

/** Throws `unauthenticated`. */
function credentialsIn(header: string): Credentials {
  const [scheme = '', value = ''] = header.trim().split(/\s+/, 2)
  if (scheme.toLowerCase() === 'bearer') return { token: value }
  if (scheme.toLowerCase() === 'basic') {
    const text = Buffer.from(value, 'base64').toString('utf8')
    const colon = text.indexOf(':')
    if (colon >= 0) return { user: text.slice(0, colon), password: text.slice(colon + 1) }
  }
  throw new AlthingError('unauthenticated', 'the Authorization header is neither Bearer nor Basic', {
    outcome: 'none',
  })
}
