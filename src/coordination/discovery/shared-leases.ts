import { isAlthingError } from '../../contracts/errors.ts'
import type { CallOptions, Compare, LeaseId, Store } from '../../contracts/store.ts'
import type { ByteString } from '../../base/bytes.ts'
import type { World } from '../../contracts/world.ts'
import { pause } from '../abortable.ts'
import type { KeptLease } from '../leases/kept-lease.ts'
import type { LeaseKeeper } from '../leases/lease-keeper.ts'

/** So many keys hang on one lease, whose end deletes them in one revision; who has more gets another lease. */
export const keysPerLeaseMax = 1_000

const retryMs = 1_000

/**
 * Leases that the registrations of one process share, so that a process with a thousand of them renews one lease and not a thousand. When
 * the process dies they end together, as they should; what one of them leaves behind it takes away itself.
 */
export class SharedLeases {
  readonly #dependencies: SharedLeaseDependencies
  /** By ttl: the one that has room. */
  readonly #open = new Map<number, Promise<SharedLease>>()

  constructor(dependencies: SharedLeaseDependencies) {
    this.#dependencies = dependencies
  }

  /** A share of a lease of `ttlMs`. Rejects like `LeaseKeeper.keep`. */
  async take(ttlMs: number): Promise<LeaseShare> {
    for (;;) {
      const opening = this.#open.get(ttlMs) ?? this.#grant(ttlMs)
      const shared = await opening
      const share = shared.share()
      if (share !== undefined) return share
      if (this.#open.get(ttlMs) === opening) this.#open.delete(ttlMs)
    }
  }

  #grant(ttlMs: number): Promise<SharedLease> {
    const opening = this.#dependencies.keeper
      .keep(ttlMs)
      .then((lease) => new SharedLease(this.#dependencies, lease))
    this.#open.set(ttlMs, opening)
    opening.catch(() => {
      if (this.#open.get(ttlMs) === opening) this.#open.delete(ttlMs)
    })
    return opening
  }
}

export interface SharedLeaseDependencies {
  readonly store: Store
  readonly world: World
  readonly keeper: LeaseKeeper
}

class SharedLease {
  readonly dependencies: SharedLeaseDependencies
  readonly lease: KeptLease
  /** No share has left with something of its own perhaps still there. */
  isClean = true
  readonly #shares = new Set<LeaseShare>()
  #taken = 0
  #isOver = false

  constructor(dependencies: SharedLeaseDependencies, lease: KeptLease) {
    this.dependencies = dependencies
    this.lease = lease
    const onLost = (): void => {
      for (const share of [...this.#shares]) share.lose(lease.lost.reason)
    }
    lease.lost.addEventListener('abort', onLost, { once: true })
  }

  /** `undefined` when the lease has ended, or has no room. */
  share(): LeaseShare | undefined {
    if (this.#isOver || !this.lease.isValid || this.#taken >= keysPerLeaseMax) return undefined
    this.#taken++
    const share = new LeaseShare(this)
    this.#shares.add(share)
    return share
  }

  /** True when this was the last share: the lease then ends, with all that hangs on it. */
  leave(share: LeaseShare): boolean {
    this.#shares.delete(share)
    if (this.#shares.size > 0) return false
    this.#isOver = true
    return true
  }
}

/** What stands in the store under a share: a key, and by what it is known as one's own. */
export interface SharedKey {
  readonly key: ByteString
  readonly compare: Compare
}

/** A share of a lease: like the lease itself, but for its release, which removes only what this share has put there. */
export class LeaseShare implements KeptLease {
  readonly #shared: SharedLease
  readonly #lost = new AbortController()
  #owned: SharedKey | undefined
  #hasLeft = false
  #released: Promise<void> | undefined

  constructor(shared: SharedLease) {
    this.#shared = shared
  }

  get id(): LeaseId {
    return this.#shared.lease.id
  }

  get ttlMs(): number {
    return this.#shared.lease.ttlMs
  }

  get isValid(): boolean {
    return !this.#hasLeft && this.#shared.lease.isValid
  }

  get lost(): AbortSignal {
    return this.#lost.signal
  }

  validUntilMs(): number {
    return this.#shared.lease.validUntilMs()
  }

  /** The lease was lost. */
  lose(reason: unknown): void {
    this.#lost.abort(reason)
  }

  /** What `release` has to take away. */
  own(owned: SharedKey): void {
    this.#owned = owned
  }

  /** Nothing of this share is left under the lease. */
  giveBack(): void {
    this.#owned = undefined
    const { lease, isClean } = this.#shared
    if (!this.#leave()) return
    if (isClean) lease.giveBack()
    else lease.abandon()
  }

  abandon(): void {
    this.#shared.isClean = false
    if (this.#hasLeft) return
    if (this.#leave()) this.#shared.lease.abandon()
    else void this.#removeLater()
  }

  /** True when this was the last share. */
  #leave(): boolean {
    if (this.#hasLeft) return false
    this.#hasLeft = true
    return this.#shared.leave(this)
  }

  async release(options?: CallOptions): Promise<void> {
    this.#released ??= this.#release(options)
    const released = this.#released
    try {
      await released
    } catch (error) {
      if (this.#released === released) this.#released = undefined
      throw error
    }
  }

  async #release(options?: CallOptions): Promise<void> {
    const isFirst = !this.#hasLeft
    if (this.#leave()) {
      this.#owned = undefined
      return await this.#shared.lease.release(options)
    }
    try {
      await this.#removeOwned(options)
    } catch (error) {
      this.#shared.isClean = false
      // The lease lives on with the others: only this takes the key away, now or later.
      if (isFirst) void this.#removeLater()
      throw error
    }
  }

  async #removeOwned(options?: CallOptions): Promise<void> {
    const owned = this.#owned
    if (owned === undefined) return
    const { store } = this.#shared.dependencies
    await store.txn({ compare: [owned.compare], then: [{ op: 'delete', key: owned.key }] }, options)
    this.#owned = undefined
  }

  async #removeLater(): Promise<void> {
    const { dependencies, lease } = this.#shared
    while (this.#owned !== undefined && lease.isValid) {
      await pause(dependencies.world, retryMs, lease.lost)
      if (!lease.isValid) return
      try {
        await this.#removeOwned()
      } catch (error) {
        if (isAlthingError(error, 'closed')) return
      }
    }
  }
}
