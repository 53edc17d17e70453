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
  readonly #asked = new Map<number, ReadBatch>()
  /** Batches whose index is known but not yet applied, in no particular order. */
  readonly #toApply = new Set<ReadBatch>()

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
    const batch = this.#asked.get(id)
    if (batch === undefined) return
    this.#asked.delete(id)
    batch.index = index
    this.#toApply.add(batch)
  }

  dropped(id: number): void {
    const batch = this.#asked.get(id)
    this.#asked.delete(id)
    this.#answer(batch?.callbacks ?? [], noLeader())
  }

  /** The model has applied up to `appliedIndex`. */
  serve(appliedIndex: number): void {
    for (const batch of this.#toApply) {
      if (batch.index > appliedIndex) continue
      this.#toApply.delete(batch)
      this.#answer(batch.callbacks, undefined)
    }
  }

  /**
   * A question to a leader that was lost on the way is never answered, and what the answer told to wait for may not come: the readers are told, so
   * that they may ask again.
   */
  dropOld(nowMs: number): void {
    const oldestMs = nowMs - this.#patienceMs
    for (const [id, batch] of this.#asked) {
      if (batch.startedMs >= oldestMs) break
      this.dropped(id)
    }
    for (const batch of this.#toApply) {
      if (batch.startedMs >= oldestMs) continue
      this.#toApply.delete(batch)
      this.#answer(batch.callbacks, behind())
    }
  }

  failAll(error: AlthingError): void {
    const batches = [...this.#asked.values(), ...this.#toApply]
    const readers = [...this.#waiting, ...batches.flatMap(({ callbacks }) => callbacks)]
    this.#waiting = []
    this.#asked.clear()
    this.#toApply.clear()
    this.#answer(readers, error)
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
