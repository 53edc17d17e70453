import { createHash } from 'node:crypto'
import type { PrincipalRef } from '../../access/principal.ts'
import type { Clock, Random, Timers } from '../../contracts/world.ts'

interface Login {
  readonly principal: PrincipalRef
  readonly endsAtMs: number
  /** Called when it ends. */
  readonly followers: Set<() => void>
}

export const loginLifeMs = 12 * 3_600_000
/** Browsers signed in at a time; past it the oldest is signed out. */
const loginsMax = 1_000
/** Of them, with the same token or as the same user: nobody can sign all others out. */
const loginsMaxOfOne = 20

/**
 * Browsers that have signed in at the console: a page cannot send its token along with an event stream, and should not keep it either. A cookie names the
 * sign-in; it is random, unreadable for scripts, not sent along by other sites, and means nothing to other nodes. What the caller may do is looked up for
 * each request, so a revoked token ends its sign-ins too.
 */
export class LoginSessions {
  readonly #world: { readonly clock: Clock; readonly random: Random; readonly timers: Timers }
  readonly #name: string
  readonly #isSecure: boolean
  /** By the hash of the cookie, in the order of their beginning. */
  readonly #logins = new Map<string, Login>()

  /** `isSecure`: the pages come over TLS, and the cookie must not go out without. */
  constructor(
    world: { readonly clock: Clock; readonly random: Random; readonly timers: Timers },
    node: number,
    isSecure: boolean,
  ) {
    this.#world = world
    this.#name = `althing-login-${node}`
    this.#isSecure = isSecure
  }

  get count(): number {
    return this.#logins.size
  }

  /** Returns the value of a `Set-Cookie` header. */
  begin(principal: PrincipalRef): string {
    this.#makeRoom(principal)
    const secret = Buffer.from(this.#world.random.bytes(32)).toString('base64url')
    const endsAtMs = this.#world.clock.monotonicMs() + loginLifeMs
    this.#logins.set(hashOf(secret), { principal, endsAtMs, followers: new Set() })
    return this.#cookie(secret, loginLifeMs / 1_000)
  }

  /** Returns the value of a `Set-Cookie` header. */
  end(request: Request): string {
    const key = this.#keyIn(request)
    if (key !== undefined) this.#end(key)
    return this.#cookie('', 0)
  }

  principal(request: Request): PrincipalRef | undefined {
    const key = this.#keyIn(request)
    return key === undefined ? undefined : this.#valid(key)?.principal
  }

  /** Calls `ended` when the sign-in that the request belongs to ends. Returns what takes it back. */
  follow(request: Request, ended: () => void): () => void {
    const key = this.#keyIn(request)
    const login = key === undefined ? undefined : this.#valid(key)
    if (key === undefined || login === undefined) return () => {}
    const leftMs = login.endsAtMs - this.#world.clock.monotonicMs()
    const timer = this.#world.timers.after(leftMs, () => this.#end(key))
    login.followers.add(ended)
    return () => {
      timer.cancel()
      login.followers.delete(ended)
    }
  }

  #valid(key: string): Login | undefined {
    const login = this.#logins.get(key)
    if (login === undefined || login.endsAtMs > this.#world.clock.monotonicMs()) return login
    this.#end(key)
    return undefined
  }

  #end(key: string): void {
    const login = this.#logins.get(key)
    this.#logins.delete(key)
    for (const follower of [...(login?.followers ?? [])]) follower()
  }

  #makeRoom(principal: PrincipalRef): void {
    const name = JSON.stringify(principal)
    const isOwn = ([, login]: [string, Login]): boolean => JSON.stringify(login.principal) === name
    const own = [...this.#logins].filter(isOwn).map(([key]) => key)
    const [oldestOfAll] = this.#logins.keys()
    const isFull = this.#logins.size >= loginsMax
    const leaving = own.length >= loginsMaxOfOne ? own[0] : isFull ? oldestOfAll : undefined
    if (leaving !== undefined) this.#end(leaving)
  }

  #keyIn(request: Request): string | undefined {
    const cookies = (request.headers.get('cookie') ?? '').split(';').map((part) => part.trim())
    const own = cookies.find((cookie) => cookie.startsWith(`${this.#name}=`))
    return own === undefined ? undefined : hashOf(own.slice(this.#name.length + 1))
  }

  #cookie(value: string, seconds: number): string {
    const secure = this.#isSecure ? '; Secure' : ''
    return `${this.#name}=${value}; Path=/; HttpOnly; SameSite=Strict; Max-Age=${seconds}${secure}`
  }
}

function hashOf(secret: string): string {
  return createHash('sha256').update(secret).digest('base64url')
}
