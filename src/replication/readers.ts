import { IndexWindow } from '../base/index-window.ts'
import { AlthingError } from '../contracts/errors.ts'

export type ReadCallback = (error?: AlthingError) => void

interface ReadBatch {
  readonly startedMs: number
  readonly callbacks: readonly ReadCallback[]
  /** 0 until the leader has answered. */
  index: number
}

/** Those who wait to read: for their turn, for a read index, and for the model to have applied as much. */
export class Readers {
  readonly #max: number
  readonly #patienceMs: number
  #waiting: ReadCallback[] = []
  #count = 0
  readonly #asked = new IndexWindow<ReadBatch>()
  /** Batches whose index is known but not yet applied, in no particular order. */
  #toApply: ReadBatch[] = []

  /** More than `max` are refused; who waits for longer than `patienceMs` is told so. */
  constructor(max: number, patienceMs: number) {
    this.#max = max
    this.#patienceMs = patienceMs
  }

  get hasWaiting(): boolean {
    return this.#waiting.length > 0
  }

  /** Returns whether it was taken; one that was not has been answered. */
  add(done: ReadCallback): boolean {
    if (this.#count >= this.#max) {
      done(new AlthingError('overloaded', `${this.#count} reads wait already`, { outcome: 'none' }))
      return false
    }
    this.#count++
    this.#waiting.push(done)
    return true
  }

  /** All who wait become one batch, numbered `id`. */
  takeBatch(id: number, nowMs: number): void {
    this.#asked.set(id, { startedMs: nowMs, callbacks: this.#waiting, index: 0 })
    this.#waiting = []
  }

  ready(id: number, index: number): void {
    const batch = this.#asked.take(id)
    if (batch === undefined) return
    batch.index = index
    this.#toApply.push(batch)
  }

  dropped(id: number): void {
    this.#answer(this.#asked.take(id)?.callbacks ?? [], noLeader())
  }

  /** The model has applied up to `appliedIndex`. */
  serve(appliedIndex: number): void {
    for (const { callbacks } of this.#takeToApply(({ index }) => index <= appliedIndex))
      this.#answer(callbacks, undefined)
  }

  /**
   * A question to a leader that was lost on the way is never answered, and what the answer told to wait for may not come: the readers are told, so
   * that they may ask again.
   */
  dropOld(nowMs: number): void {
    const oldestMs = nowMs - this.#patienceMs
    for (const [id, batch] of [...this.#asked.entries()]) {
      if (batch.startedMs >= oldestMs) break
      this.dropped(id)
    }
    for (const { callbacks } of this.#takeToApply(({ startedMs }) => startedMs < oldestMs))
      this.#answer(callbacks, behind())
  }

  failAll(error: AlthingError): void {
    const batches = [...this.#asked.values(), ...this.#toApply]
    const readers = [...this.#waiting, ...batches.flatMap(({ callbacks }) => callbacks)]
    this.#waiting = []
    this.#asked.clear()
    this.#toApply = []
    this.#answer(readers, error)
  }

  /** What is answered may ask again at once: the list is settled before anyone is. */
  #takeToApply(isWanted: (batch: ReadBatch) => boolean): readonly ReadBatch[] {
    if (this.#toApply.length === 0) return this.#toApply
    const taken = this.#toApply.filter(isWanted)
    if (taken.length > 0) this.#toApply = this.#toApply.filter((batch) => !isWanted(batch))
    return taken
  }

  #answer(callbacks: readonly ReadCallback[], error: AlthingError | undefined): void {
    this.#count -= callbacks.length
    for (const done of callbacks) done(error)
  }
}

function behind(): AlthingError {
  return new AlthingError('unavailable', 'this node is too far behind the leader to answer now', {
    outcome: 'none',
  })
}

function noLeader(): AlthingError {
  return new AlthingError('unavailable', 'no leader answers for this group now', { outcome: 'none' })
}
