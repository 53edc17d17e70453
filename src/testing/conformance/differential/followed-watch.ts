import type { Watch, WatchBatch, WatchRequest } from '../../../contracts/store.ts'
import type { World } from '../../../contracts/world.ts'
import { eventKey, isInRange, type RevisionEvents } from '../../checkers/event-log.ts'
import type { WatchObservation } from '../../checkers/watch-guarantees.ts'
import type { EngineTerms } from './terms.ts'

/** How long a watch may take to bring what there is. Only a failing run waits so long. */
export const patienceMs = 20_000

export interface FollowedWatchOptions {
  readonly world: Pick<World, 'clock' | 'timers'>
  readonly watch: Watch
  /** In the model's terms. */
  readonly request: WatchRequest & { readonly fromRevision: number }
  /** It was set at a revision that was compacted: a resync is due, at this revision of the model or a later one. */
  readonly resyncsAt: number | undefined
}

/** A watch of the engine, with all that it has brought. */
export class FollowedWatch {
  readonly #options: FollowedWatchOptions
  readonly #batches: WatchBatch[] = []
  #completeUntil = 0
  #problem: unknown
  #changed: () => void = () => {}

  constructor(options: FollowedWatchOptions) {
    this.#options = options
    void this.#read()
  }

  /** The revision of the engine at which it was set. */
  async created(): Promise<number> {
    await this.#until('created', () => this.#batches.length > 0)
    return this.#batches[0]?.revision ?? 0
  }

  /** Until it has brought all of `changes` that it was set for. */
  async settle(terms: EngineTerms, changes: readonly RevisionEvents[]): Promise<void> {
    const { request, resyncsAt } = this.#options
    const last = changes.findLast(
      ({ revision, events }) =>
        revision >= request.fromRevision && events.some((event) => isInRange(request, eventKey(event))),
    )
    const due = Math.max(last?.revision ?? 0, resyncsAt ?? 0)
    await this.#until(`everything up to revision ${due}`, () => due === 0 || this.#told(terms) >= due)
    this.#completeUntil = Math.max(this.#completeUntil, changes.at(-1)?.revision ?? 0)
  }

  close(): void {
    this.#options.watch.close()
  }

  observation(terms: EngineTerms): WatchObservation {
    return {
      name: JSON.stringify(this.#options.request),
      request: this.#options.request,
      batches: this.#batches.map((batch) => terms.modelBatch(batch)),
      completeUntil: this.#completeUntil,
    }
  }

  /** Up to where, in the model's terms. */
  #told(terms: EngineTerms): number {
    const last = this.#batches.findLast(({ kind }) => kind !== 'created')
    return last === undefined ? 0 : terms.modelRevision(last.revision)
  }

  async #until(what: string, isSo: () => boolean): Promise<void> {
    let isLate = false
    const timer = this.#options.world.timers.after(patienceMs, () => {
      isLate = true
      this.#changed()
    })
    try {
      while (!isSo()) {
        if (this.#problem !== undefined) throw this.#problem
        if (isLate) {
          const kinds = this.#batches.map(({ kind, revision }) => `${kind} ${revision}`).slice(-5)
          throw new Error(`a watch has not told ${what} within ${patienceMs} ms; last: ${kinds.join(', ')}`)
        }
        await new Promise<void>((resolve) => {
          this.#changed = resolve
        })
      }
    } finally {
      timer.cancel()
    }
  }

  async #read(): Promise<void> {
    try {
      for await (const batch of this.#options.watch) {
        this.#batches.push(batch)
        this.#changed()
      }
      this.#problem ??= new Error('a watch ended by itself')
    } catch (error) {
      this.#problem = error
    }
    this.#changed()
  }
}
