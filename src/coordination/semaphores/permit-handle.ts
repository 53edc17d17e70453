import { textFromBytes } from '../../base/bytes.ts'
import type { Duration } from '../../base/duration.ts'
import type { ExclusiveHold } from '../exclusive-hold.ts'
import type { FenceStamp } from '../fencing.ts'
import { encodeLockEntry } from '../locks/lock-entry.ts'
import { leaseTtlMs } from '../names.ts'
import { RightHandle } from '../right.ts'
import type { PermitEntry } from './semaphore-entry.ts'
import type { Permit } from './semaphore-types.ts'

export interface PermitParts {
  readonly name: string
  readonly hold: ExclusiveHold
  readonly entry: PermitEntry
  readonly limit: number
  /** Tokens that held at revision `asOf`, this one's among them. */
  readonly live: readonly number[]
  readonly asOf: number
}

export class PermitHandle extends RightHandle implements Permit {
  readonly name: string
  readonly permits: number
  readonly limit: number
  readonly stamp: FenceStamp
  readonly #hold: ExclusiveHold
  readonly #onEnd: () => void
  #entry: PermitEntry

  constructor({ name, hold, entry, limit, live, asOf }: PermitParts, onEnd: () => void) {
    super(hold)
    this.name = name
    this.permits = entry.permits
    this.limit = limit
    this.stamp = { token: hold.fence.token, kind: 'member', asOf, live }
    this.#hold = hold
    this.#entry = { ...entry, heldSinceMs: entry.heldSinceMs ?? entry.queuedAtMs }
    this.#onEnd = onEnd
  }

  async extend(ttl: Duration): Promise<void> {
    this.assertNotGivenUp()
    const entry = { ...this.#entry, ttlMs: leaseTtlMs('ttl', ttl) }
    await this.#hold.moveToLease(entry.ttlMs, () => textFromBytes(encodeLockEntry(entry)))
    this.#entry = entry
  }

  async release(): Promise<void> {
    this.giveUp()
    this.#onEnd()
    await this.#hold.release()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release()
  }
}
