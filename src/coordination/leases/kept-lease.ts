import { setMaxListeners } from 'node:events'
import type { AlthingError } from '../../contracts/errors.ts'
import type { CallOptions, LeaseId } from '../../contracts/store.ts'
import type { Timer, World } from '../../contracts/world.ts'
import { localDeadlineMs } from '../../protocols/lease/local-deadline.ts'
import type { SharedSlots } from '../../protocols/lease/shared-slots.ts'

/** A lease that is renewed until it is released or lost. */
export interface KeptLease {
  readonly id: LeaseId
  readonly ttlMs: number
  /**
   * Monotonic time until which the lease is held as far as is known now: a tenth of the ttl before the earliest moment at which the
   * store could end it.
   */
  validUntilMs(): number
  /** Computed from the clock at each reading, so it is right at the first instruction after a stall. False once, false for ever. */
  readonly isValid: boolean
  /** Fires with the cause (`lost`) when {@link validUntilMs} is reached, or as soon as the store says that the lease is gone. */
  readonly lost: AbortSignal
  /** Stops the renewal at once, and ends the lease in the store together with its keys. `lost` does not fire. Idempotent. */
  release(options?: CallOptions): Promise<void>
  /**
   * For a lease on which nothing hangs, now or ever: another call of the keeper may have it, which saves both a write. Unless any write under it may still be
   * on its way; then {@link release} is the only way to be sure that it comes to nothing. `lost` is not for the former user any more.
   */
  giveBack(): void
  /** Renews it no more, and leaves its end in the store to time, or to {@link release}. `lost` does not fire. */
  abandon(): void
}

/** What a kept lease needs of its keeper. */
export interface KeptLeaseOwner {
  readonly world: World
  readonly slots: SharedSlots
  /** Names the cause of a lapse. Called before anything about the lease is forgotten. */
  lapseError(lease: KeptLeaseHandle): AlthingError
  /** The lease ended here: renew it no more. */
  forget(lease: LeaseId): void
  takeBack(lease: KeptLeaseHandle): void
  revoke(lease: LeaseId, options?: CallOptions): Promise<void>
}

export class KeptLeaseHandle implements KeptLease {
  readonly id: LeaseId
  readonly ttlMs: number
  readonly slot: number
  readonly #owner: KeptLeaseOwner
  readonly #lost = new AbortController()
  #deadline: Timer | undefined
  /** Set when the lease has ended: from then on the slot belongs to another. */
  #endedAt: { readonly validUntilMs: number } | undefined
  #released: Promise<void> | undefined

  constructor(
    owner: KeptLeaseOwner,
    grant: { readonly lease: LeaseId; readonly ttlMs: number; slot: number },
  ) {
    this.#owner = owner
    this.id = grant.lease
    this.ttlMs = grant.ttlMs
    this.slot = grant.slot
    // All that hang on the lease listen, such as the locks of a hold of several: Node would take them for a leak.
    setMaxListeners(0, this.#lost.signal)
    this.#armDeadline()
  }

  get sentMs(): number {
    return this.#owner.slots.sentMs(this.slot)
  }

  get lost(): AbortSignal {
    return this.#lost.signal
  }

  validUntilMs(): number {
    return this.#endedAt?.validUntilMs ?? localDeadlineMs(this.sentMs, this.ttlMs)
  }

  get isValid(): boolean {
    if (this.#endedAt !== undefined) return false
    if (this.#owner.world.clock.monotonicMs() < this.validUntilMs()) return true
    // Whoever reads this must not have listeners run under its feet: they are told on the next turn.
    const error = this.#end(() => this.#owner.lapseError(this))
    this.#owner.world.timers.immediate(() => this.#lost.abort(error))
    return false
  }

  /** The lease is lost for a cause that is known: fires at once. */
  lose(error: AlthingError): void {
    if (this.#endedAt !== undefined) return
    this.#end(() => error)
    this.#lost.abort(error)
  }

  giveBack(): void {
    if (!this.isValid) return
    this.#endedAt = { validUntilMs: this.validUntilMs() }
    this.#deadline?.cancel()
    this.#released = Promise.resolve()
    this.#owner.takeBack(this)
  }

  abandon(): void {
    if (this.#endedAt === undefined) this.#end(() => undefined)
  }

  async release(options?: CallOptions): Promise<void> {
    this.abandon()
    this.#released ??= this.#owner.revoke(this.id, options)
    const released = this.#released
    try {
      await released
    } catch (error) {
      // Another call may try again.
      if (this.#released === released) this.#released = undefined
      throw error
    }
  }

  #end<T>(describe: () => T): T {
    const described = describe()
    this.#endedAt = { validUntilMs: this.validUntilMs() }
    this.#deadline?.cancel()
    this.#owner.forget(this.id)
    return described
  }

  #armDeadline(): void {
    const leftMs = this.validUntilMs() - this.#owner.world.clock.monotonicMs()
    this.#deadline = this.#owner.world.timers.after(Math.max(0, leftMs), () => this.#onDeadline())
  }

  #onDeadline(): void {
    if (this.#endedAt !== undefined) return
    if (this.#owner.world.clock.monotonicMs() < this.validUntilMs()) this.#armDeadline()
    else this.lose(this.#owner.lapseError(this))
  }
}
