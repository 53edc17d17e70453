import { AlthingError } from '../contracts/errors.ts'
import type { WatchEvent } from '../contracts/store.ts'
import type { ConnectionIdentity, Timer, World } from '../contracts/world.ts'
import { AccessState, type AppliedKeys } from './access-state.ts'
import type { AuditLog } from './audit-log.ts'
import { LoginGuard } from './login-guard.ts'
import type { Passwords } from './passwords.ts'
import { RateLimits } from './rate-limits.ts'
import { anonymous, node, type Principal, type PrincipalRef } from './principal.ts'
import { equalSecrets, parseToken, tokenMatches } from './token.ts'

/** What a caller shows of itself. */
export interface Credentials {
  readonly token?: string
  readonly user?: string
  readonly password?: string
  /** A node's own: see `AccessSettings.nodeKey`. */
  readonly nodeKey?: string
}

/** Where a caller comes from, and what its transport has proved of it. */
export interface CallerOrigin {
  readonly remoteAddress: string
  readonly identity?: ConnectionIdentity
}

export interface AccessControlOptions {
  readonly world: Pick<World, 'clock' | 'timers'>
  /** The default store, as applied on this node. */
  readonly applied: AppliedKeys
  /** Absent: this node checks no passwords. */
  readonly passwords?: Passwords
  readonly audit?: AuditLog
  /** Default: none. */
  readonly limits?: RateLimits
  /** Calls back once this copy holds all that was acknowledged before, or with the reason why that cannot be known. */
  barrier(done: (error?: AlthingError) => void): void
}

/** The longest sleep of the timer that looks for tokens which have ended: the wall clock may be set. */
const expiryLookMs = 60_000

/**
 * Who may do what on this node, by the users, roles and tokens that the default store holds under its system keys. It follows them in the same turn of the loop
 * in which they are applied, so a question asked after a change was applied here is answered by it.
 *
 * While access control is off everybody may do everything that clients can do; nodes and system keys are protected all the same.
 */
export class AccessControl {
  /** How much each caller may ask of this node. */
  readonly limits: RateLimits
  readonly #options: AccessControlOptions
  readonly #state = new AccessState()
  readonly #guard: LoginGuard
  readonly #listeners = new Set<() => void>()
  #expiry: Timer | undefined

  constructor(options: AccessControlOptions) {
    this.#options = options
    this.#guard = new LoginGuard(options.world.clock)
    this.limits = options.limits ?? new RateLimits(options.world.clock)
    this.replaced()
  }

  get isEnabled(): boolean {
    return this.#state.isEnabled
  }

  get counts(): AccessState['counts'] {
    return this.#state.counts
  }

  get audit(): AuditLog | undefined {
    return this.#options.audit
  }

  /** What this node shows to another. */
  get nodeKey(): string | undefined {
    return this.#state.settings?.nodeKey
  }

  /** Calls `listener` after each change of what anybody may do. Returns what takes it back. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** A change that has just been applied. */
  applied(events: readonly WatchEvent[]): void {
    if (this.#state.apply(events)) this.#changed()
  }

  /** The whole copy was replaced by a newer one. */
  replaced(): void {
    this.#state.load(this.#options.applied)
    this.#changed()
  }

  close(): void {
    this.#expiry?.cancel()
    this.#listeners.clear()
  }

  /** What the caller may do now. Throws `unauthenticated` when it has shown nothing, or nothing that is still valid. */
  principal(ref: PrincipalRef): Principal {
    const principal = this.#state.resolve(ref, this.#options.world.clock.wallMs())
    if (principal !== undefined) return principal
    throw new AlthingError(
      'unauthenticated',
      ref[0] === 'anonymous'
        ? 'access control is on: sign in with a token, or a user and a password'
        : 'what the caller signed in with is valid no more',
      { outcome: 'none' },
    )
  }

  /** Whether the caller on this connection is another node of the cluster. */
  isNode(credentials: Credentials, { identity }: CallerOrigin): boolean {
    if (identity !== undefined) return identity.isNode
    const { nodeKey } = this
    return (
      nodeKey !== undefined && credentials.nodeKey !== undefined && equalSecrets(credentials.nodeKey, nodeKey)
    )
  }

  /**
   * Who the caller is by what it shows. Rejects with `unauthenticated` when that is not valid, `overloaded` when it has to wait, or `unavailable` when this node cannot
   * find out whether it knows the newest users and tokens.
   */
  async authenticate(credentials: Credentials, origin: CallerOrigin): Promise<PrincipalRef> {
    try {
      return await this.#authenticate(credentials, origin)
    } catch (error) {
      if (error instanceof AlthingError && error.code === 'unauthenticated')
        this.audit?.denied({ who: credentials.user ?? '', from: origin.remoteAddress, what: 'sign in' })
      throw error
    }
  }

  /** Who the caller is, where that can be said at once; undefined: {@link authenticate} it. Throws `unauthenticated`. */
  recognise(credentials: Credentials, origin: CallerOrigin): PrincipalRef | undefined {
    if (this.isNode(credentials, origin)) return node
    const { token, user, password } = credentials
    const known = token === undefined ? undefined : this.#tokenRef(token)
    if (known !== undefined) return known
    const isNamed = token !== undefined || (user !== undefined && password !== undefined)
    return isNamed ? undefined : this.#bare(origin)
  }

  async #authenticate(credentials: Credentials, origin: CallerOrigin): Promise<PrincipalRef> {
    const known = this.recognise(credentials, origin)
    if (known !== undefined) return known
    if (!this.isEnabled) {
      // What is shown means nothing while access control is off. It may be on already, which this copy has not heard of: as nobody, the caller would be turned away by others.
      await this.caughtUp()
      if (!this.isEnabled) return this.#bare(origin)
    }
    const { token, user = '', password = '' } = credentials
    return token === undefined ? this.#byPassword(user, password, origin) : this.#byToken(token, origin)
  }

  #bare({ identity }: CallerOrigin): PrincipalRef {
    if (identity?.kind === 'certificate' && this.#state.user(identity.name)?.allowsCertificate === true)
      return ['certificate', identity.name]
    // Without access control the certificate is all that keeps strangers out.
    if (identity?.kind === 'anonymous' && !this.isEnabled) {
      throw new AlthingError(
        'unauthenticated',
        'access control is off, so a caller must show a certificate: enable access control, or connect with a certificate',
        { outcome: 'none' },
      )
    }
    return anonymous
  }

  async #byToken(text: string, origin: CallerOrigin): Promise<PrincipalRef> {
    const { remoteAddress } = origin
    this.#guard.admit(remoteAddress)
    await this.caughtUp()
    const found = this.#tokenRef(text)
    if (found !== undefined) return found
    this.#guard.failed(remoteAddress)
    throw refused('the token is not valid: it was never made, or was revoked, or has ended')
  }

  #tokenRef(text: string): PrincipalRef | undefined {
    const parsed = parseToken(text)
    const record = parsed === undefined ? undefined : this.#state.token(parsed.id)
    if (parsed === undefined || record === undefined || !tokenMatches(parsed.secret, record.hash))
      return undefined
    const ref: PrincipalRef = ['token', parsed.id]
    return this.#state.resolve(ref, this.#options.world.clock.wallMs()) === undefined ? undefined : ref
  }

  async #byPassword(user: string, password: string, origin: CallerOrigin): Promise<PrincipalRef> {
    const { remoteAddress } = origin
    this.#guard.admit(remoteAddress)
    const before = this.#state.user(user)?.epoch
    let ref = await this.#passwordRef(user, password)
    if (ref === undefined) {
      await this.caughtUp()
      // Only a password that was changed meanwhile is worth the cost of a second look.
      if (this.#state.user(user)?.epoch !== before) ref = await this.#passwordRef(user, password)
    }
    if (ref === undefined) {
      this.#guard.failed(remoteAddress)
      throw refused('the user or the password is not right')
    }
    this.#guard.succeeded(remoteAddress)
    return ref
  }

  async #passwordRef(name: string, password: string): Promise<PrincipalRef | undefined> {
    const { passwords } = this.#options
    if (passwords === undefined) throw refused('this node checks no passwords: use a token')
    const user = this.#state.user(name)
    const matches = await passwords.matches(password, user?.password)
    return matches && user !== undefined ? ['user', name, user.epoch] : undefined
  }

  /** Resolves once this copy holds every change of users and rights that was acknowledged before. Rejects with `unavailable` when that cannot be known. */
  caughtUp(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#options.barrier((error) => {
        if (error === undefined) resolve()
        else {
          reject(
            new AlthingError('unavailable', 'this node cannot find out now who may sign in', {
              outcome: 'none',
              cause: error,
            }),
          )
        }
      })
    })
  }

  #changed(): void {
    this.#armExpiry()
    for (const listener of [...this.#listeners]) listener()
  }

  #armExpiry(): void {
    this.#expiry?.cancel()
    this.#expiry = undefined
    const { clock, timers } = this.#options.world
    const nowMs = clock.wallMs()
    const nextMs = this.isEnabled ? this.#state.nextExpiryMs(nowMs) : undefined
    if (nextMs === undefined) return
    this.#expiry = timers.after(Math.min(expiryLookMs, nextMs - nowMs), () => this.#changed())
  }
}

function refused(message: string): AlthingError {
  return new AlthingError('unauthenticated', message, { outcome: 'none' })
}
