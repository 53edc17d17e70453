import { invalidArgument } from '../../contracts/errors.ts'
import type { CallOptions, Operation, Store, TxnReply, TxnRequest } from '../../contracts/store.ts'
import type { World } from '../../contracts/world.ts'
import type { ExclusiveHold } from '../exclusive-hold.ts'
import { type FencedTxnRequest, type FenceStamp, fenceCompare, fencedTxn, staleToken } from '../fencing.ts'
import { keySegment } from '../names.ts'
import { Announcement } from './announcement.ts'
import type { LockEntry } from './lock-entry.ts'
import type { MultiLock } from './lock-types.ts'

/** Each name stands for a key, a comparison and a read in one transaction. */
const namesMax = 32

/** Each name once, in order. */
export function namesWanted(names: readonly string[]): readonly string[] {
  if (!Array.isArray(names) || names.length === 0) throw invalidArgument('names', names, 'at least one name')
  for (const name of names) keySegment('names', name)
  const wanted = [...new Set(names)].sort()
  if (wanted.length <= namesMax) return wanted
  throw invalidArgument('names', `${wanted.length} names`, `at most ${namesMax} different ones`)
}

export interface MultiLockParts {
  readonly store: Store
  readonly names: readonly string[]
  readonly world: World
  /** One for each name, on one lease. */
  readonly holds: readonly ExclusiveHold[]
  readonly entry: LockEntry
}

/** Several holds that begin and end together: they hang on one lease, and the loss of one is that of all. */
export class MultiLockHandle implements MultiLock {
  readonly names: readonly string[]
  readonly fences: readonly { readonly name: string; readonly key: string; readonly token: number }[]
  readonly lost: AbortSignal
  readonly stamp: FenceStamp
  readonly #store: Store
  readonly #holds: readonly ExclusiveHold[]
  readonly #announcements: readonly Announcement[]
  readonly #onEnd: () => void
  #isReleased = false

  constructor({ store, world, names, holds, entry }: MultiLockParts, onEnd: () => void) {
    this.names = names
    this.fences = holds.map(({ fence }, i) => ({ name: names[i] ?? '', ...fence }))
    this.lost = AbortSignal.any(holds.map((hold) => hold.lost))
    this.stamp = { token: this.token }
    this.#store = store
    this.#holds = holds
    this.#announcements = holds.map((hold) => new Announcement(world, hold, () => entry))
    this.#onEnd = onEnd
  }

  get token(): number {
    return this.fences[0]?.token ?? 0
  }

  get isHeld(): boolean {
    return !this.#isReleased && this.#holds.every(({ isHeld }) => isHeld)
  }

  validUntilMs(): number {
    return Math.min(...this.#holds.map((hold) => hold.validUntilMs()))
  }

  guard(operations: readonly Operation[]): TxnRequest {
    return { compare: this.fences.map(fenceCompare), then: operations }
  }

  async txn(request: FencedTxnRequest, options?: CallOptions): Promise<TxnReply> {
    if (this.lost.aborted) throw this.lost.reason
    const ended = this.fences.find((_, i) => this.#isReleased || this.#holds[i]?.isHeld !== true)
    if (ended !== undefined) throw staleToken(ended)
    return await fencedTxn(this.#store, this.fences, request, options)
  }

  async release(): Promise<void> {
    this.#isReleased = true
    for (const announcement of this.#announcements) announcement.cancel()
    this.#onEnd()
    await Promise.all(this.#holds.map((hold) => hold.release()))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release()
  }
}
