import type { Duration } from '../../base/duration.ts'
import { textFromBytes } from '../../base/bytes.ts'
import type { World } from '../../contracts/world.ts'
import type { ExclusiveHold } from '../exclusive-hold.ts'
import type { FenceStamp } from '../fencing.ts'
import { Announcement } from './announcement.ts'
import { encodeLockEntry, type LockEntry } from './lock-entry.ts'
import type { Lock, LockMode } from './lock-types.ts'
import { leaseTtlMs } from '../names.ts'
import { RightHandle } from '../right.ts'

export interface SharedHoldParts {
  readonly hold: ExclusiveHold
  readonly mode: LockMode
  readonly entry: LockEntry
}

/** One hold and the number of handles on it. The last one to go releases it. */
export class SharedHold {
  readonly hold: ExclusiveHold
  readonly mode: LockMode
  entry: LockEntry
  readonly #onEnd: () => void
  readonly #announcement: Announcement
  #handles = 0

  constructor(world: World, { hold, mode, entry }: SharedHoldParts, onEnd: () => void) {
    this.hold = hold
    this.mode = mode
    this.entry = entry
    this.#onEnd = onEnd
    this.#announcement = new Announcement(world, hold, () => this.entry)
  }

  /** False too once the last handle has let go. */
  get isHeld(): boolean {
    return this.hold.isHeld
  }

  retain(): void {
    this.#handles += 1
  }

  letGo(): void {
    this.#handles -= 1
    if (this.#handles > 0) return
    this.#announcement.cancel()
    this.#onEnd()
  }

  /** Ends the hold once nobody has a handle on it. May be called again when it has failed. */
  async releaseIfUnused(): Promise<void> {
    if (this.#handles === 0) await this.hold.release()
  }
}

export class LockHandle extends RightHandle implements Lock {
  readonly name: string
  readonly #shared: SharedHold

  constructor(name: string, shared: SharedHold) {
    super(shared.hold)
    this.name = name
    this.#shared = shared
    shared.retain()
  }

  get mode(): LockMode {
    return this.#shared.mode
  }

  get stamp(): FenceStamp {
    return this.mode === 'read' ? { token: this.token, kind: 'shared' } : { token: this.token }
  }

  async extend(ttl: Duration): Promise<void> {
    this.assertNotGivenUp()
    const entry = { ...this.#shared.entry, ttlMs: leaseTtlMs('ttl', ttl) }
    await this.#shared.hold.moveToLease(entry.ttlMs, () => textFromBytes(encodeLockEntry(entry)))
    this.#shared.entry = entry
  }

  async release(): Promise<void> {
    if (this.giveUp()) this.#shared.letGo()
    await this.#shared.releaseIfUnused()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release()
  }
}
