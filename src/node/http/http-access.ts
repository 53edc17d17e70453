import type { AccessControl, Credentials } from '../../access/access-control.ts'
import { hostOf } from '../../access/login-guard.ts'
import type { PrincipalRef } from '../../access/principal.ts'
import { authorizeRead, needAny } from '../../access/requirements.ts'
import { AlthingError, asAlthingError } from '../../contracts/errors.ts'
import type { RangeRequest } from '../../contracts/store.ts'
import { clientRange } from '../../models/store/system-keys.ts'
import type { HttpCaller } from './caller-context.ts'
import type { CallerStores } from './caller-stores.ts'
import type { LoginSessions } from './login-sessions.ts'
import type { Route, RouteAccess } from './route.ts'

export type HttpReach = 'local' | 'protected' | 'open'

export interface HttpAccessOptions {
  readonly control: AccessControl
  readonly stores: CallerStores
  readonly logins: LoginSessions
  /** `'local'`: only this machine reaches the address. `'protected'`: others do too, so nothing is served without access control. `'open'`: others do, and that is wanted. */
  readonly reach: HttpReach
}

/** One request, as far as access is concerned. */
export interface AskedRoute {
  readonly request: Request
  readonly route: Pick<Route, 'access' | 'id' | 'body'>
  readonly changesState: boolean
  /** `host:port` */
  readonly remoteAddress: string
}

/** A request whose caller may make it. */
export interface AdmittedRequest {
  readonly caller: HttpCaller
  /** For the audit log. */
  readonly name: string
  /** When it has been answered. What streams on holds the caller by itself ({@link HttpCaller.hold}). */
  release(): void
}

/** A page's script can add it to its own requests. A form or a link cannot, and other sites' scripts would be asked for leave first. */
export const pageHeader = 'x-althing-console'

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

  /** Rejects with `unauthenticated`, `permission-denied`, `overloaded` or `unavailable`. The caller of this calls `release`. */
  async admit(asked: AskedRoute): Promise<AdmittedRequest> {
    const { principal, isByCookie } = await this.#identify(asked)
    const access = asked.route.access ?? 'caller'
    const name = this.#authorize(principal, access, asked)
    this.#count(name, asked)
    const { store, release } = this.#stores.take(principal)
    const revoked = new AbortController()
    const stop = this.#whenRevoked(principal, access, isByCookie ? asked.request : undefined, (reason) =>
      revoked.abort(reason),
    )
    let holds = 1
    const letGo = (): void => {
      holds--
      if (holds > 0) return
      stop()
      release()
    }
    const hold = (): (() => void) => {
      holds++
      return once(letGo)
    }
    return { caller: { principal, store, revoked: revoked.signal, hold }, name, release: once(letGo) }
  }

  /** A read of this node's own copy: the only one that does not pass through a session. */
  authorizeOwnRead(principal: PrincipalRef, request: RangeRequest): RangeRequest {
    const range = clientRange(request)
    const { control } = this
    const caller = control.principal(principal)
    if (control.isEnabled && !caller.isNode) authorizeRead(caller.rightsIn(undefined), range)
    return range
  }

  /** The caller by its `Authorization` header, or the cookie of the console. */
  async #identify(asked: AskedRoute): Promise<{ principal: PrincipalRef; isByCookie: boolean }> {
    const { request, remoteAddress, changesState } = asked
    if (this.#needsAccessControl && !this.control.isEnabled) {
      throw new AlthingError(
        'permission-denied',
        'access control is off, and this address can be reached from other machines: switch it on (`althing access enable`), or start the node with --http-insecure',
        { outcome: 'none' },
      )
    }
    const header = request.headers.get('authorization')
    const byCookie = header === null ? this.logins.principal(request) : undefined
    if (byCookie === undefined) {
      const credentials = header === null ? {} : credentialsIn(header)
      return { principal: await this.control.authenticate(credentials, { remoteAddress }), isByCookie: false }
    }
    // A browser sends the cookie by itself, whoever made it send the request.
    if (changesState && request.headers.get(pageHeader) === null) {
      throw new AlthingError(
        'permission-denied',
        `a change by a browser that has signed in needs the header ${pageHeader}: it shows that a page of this node asks for it`,
        { outcome: 'none' },
      )
    }
    return { principal: byCookie, isByCookie: true }
  }

  #authorize(ref: PrincipalRef, access: RouteAccess, { route, remoteAddress }: AskedRoute): string {
    try {
      return this.#nameOfAllowed(ref, access)
    } catch (error) {
      this.control.audit?.denied({ who: this.#nameOf(ref), from: remoteAddress, what: `http.${route.id}` })
      throw error
    }
  }

  #nameOf(ref: PrincipalRef): string {
    try {
      return this.control.principal(ref).name
    } catch {
      return ref[1] ?? ''
    }
  }

  #nameOfAllowed(ref: PrincipalRef, access: RouteAccess): string {
    const { control } = this
    const principal = control.principal(ref)
    if (control.isEnabled && !principal.isNode) {
      const rights = principal.rightsIn(undefined)
      const seesAll = access === 'overview' && rights.covers('read', { key: '', end: null })
      if ((access === 'operator' || access === 'overview') && !seesAll) needAny(rights, 'admin')
    }
    return principal.name
  }

  /** On the caller's limit for HTTP, which is as high as that of the cluster's own protocol, and beside it. Throws `overloaded`. */
  #count(name: string, { request, route, remoteAddress }: AskedRoute): void {
    const { limits } = this.control
    if (limits.isUnlimited) return
    const announced = request.headers.get('content-length')
    // A body whose length is not said counts as the longest that the route takes.
    const bytes =
      announced === null ? (request.body === null ? 0 : (route.body?.bytesMax ?? 0)) : Number(announced)
    limits.take(`${name === '' ? hostOf(remoteAddress) : name} (HTTP)`, Number.isFinite(bytes) ? bytes : 0)
  }

  /** Calls `revoked` when the caller may ask for such a route no more. Returns what takes it back. */
  #whenRevoked(
    principal: PrincipalRef,
    access: RouteAccess,
    byCookie: Request | undefined,
    revoked: (reason: AlthingError) => void,
  ): () => void {
    const stopFollowing = this.control.onChange(() => {
      try {
        this.#nameOfAllowed(principal, access)
      } catch (error) {
        revoked(asAlthingError(error))
      }
    })
    const signedOut = (): void =>
      revoked(new AlthingError('unauthenticated', 'the browser was signed out', { outcome: 'none' }))
    const stopLogin = byCookie === undefined ? () => {} : this.logins.follow(byCookie, signedOut)
    return () => {
      stopFollowing()
      stopLogin()
    }
  }
}

function once(work: () => void): () => void {
  let isDone = false
  return () => {
    if (isDone) return
    isDone = true
    work()
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
