import { createHash } from 'node:crypto'
import type { PrincipalRef } from '../../access/principal.ts'
import type { Clock, Random } from '../../contracts/world.ts'

interface Login {
  readonly principal: PrincipalRef
  readonly endsAtMs: number
}

const lifeMs = 12 * 3_600_000
/** Browsers signed in at a time; past it the oldest is signed out. */
const loginsMax = 1_000

/**
 * Browsers that have signed in at the console: a page cannot send its token along with an event stream, and should not keep it either. A cookie names the
 * sign-in; it is random, unreadable for scripts, not sent along by other sites, and means nothing to other nodes. What the caller may do is looked up for
 * each request, so a revoked token ends its sign-ins too.
 */
export class LoginSessions {
  readonly #world: { readonly clock: Clock; readonly random: Random }
  readonly #name: string
  readonly #isSecure: boolean
  /** By the hash of the cookie, in the order of their beginning. */
  readonly #logins = new Map<string, Login>()

  /** `isSecure`: the pages come over TLS, and the cookie must not go out without. */
  constructor(world: { readonly clock: Clock; readonly random: Random }, node: number, isSecure: boolean) {
    this.#world = world
    this.#name = `althing-login-${node}`
    this.#isSecure = isSecure
  }

  /** Returns the value of a `Set-Cookie` header. */
  begin(principal: PrincipalRef): string {
    const secret = Buffer.from(this.#world.random.bytes(32)).toString('base64url')
    if (this.#logins.size >= loginsMax) {
      const [oldest] = this.#logins.keys()
      if (oldest !== undefined) this.#logins.delete(oldest)
    }
    this.#logins.set(hashOf(secret), { principal, endsAtMs: this.#world.clock.monotonicMs() + lifeMs })
    return this.#cookie(secret, lifeMs / 1_000)
  }

  /** Returns the value of a `Set-Cookie` header. */
  end(request: Request): string {
    const secret = this.#secretIn(request)
    if (secret !== undefined) this.#logins.delete(hashOf(secret))
    return this.#cookie('', 0)
  }

  principal(request: Request): PrincipalRef | undefined {
    const secret = this.#secretIn(request)
    if (secret === undefined) return undefined
    const key = hashOf(secret)
    const login = this.#logins.get(key)
    if (login === undefined || login.endsAtMs > this.#world.clock.monotonicMs()) return login?.principal
    this.#logins.delete(key)
    return undefined
  }

  #secretIn(request: Request): string | undefined {
    const cookies = (request.headers.get('cookie') ?? '').split(';').map((part) => part.trim())
    return cookies.find((cookie) => cookie.startsWith(`${this.#name}=`))?.slice(this.#name.length + 1)
  }

  #cookie(value: string, seconds: number): string {
    const secure = this.#isSecure ? '; Secure' : ''
    return `${this.#name}=${value}; Path=/; HttpOnly; SameSite=Strict; Max-Age=${seconds}${secure}`
  }
}

function hashOf(secret: string): string {
  return createHash('sha256').update(secret).digest('base64url')
}
