import type { Timer, World } from '../../contracts/world.ts'
import type { StoreModel } from '../../models/store/store-model.ts'
import { type HistoryBounds, HistoryPolicy } from './history-policy.ts'

export interface HistoryKeeperOptions {
  readonly world: World
  readonly model: StoreModel
  readonly bounds: Partial<HistoryBounds>
  quotaBytes(): number
  isLeading(): boolean
  /** Through the log like any command, so that all replicas forget the same. */
  compact(revision: number, done: () => void): void
}

/** Has the history compacted while this member leads, as its {@link HistoryPolicy} says. */
export class HistoryKeeper {
  readonly #options: HistoryKeeperOptions
  readonly #policy: HistoryPolicy
  #timer: Timer | undefined
  #isCompacting = false

  constructor(options: HistoryKeeperOptions) {
    this.#options = options
    const { keepRevisions, keepMs } = options.bounds
    this.#policy = new HistoryPolicy({
      ...(keepRevisions === undefined ? {} : { keepRevisions }),
      ...(keepMs === undefined ? {} : { keepMs }),
    })
  }

  start(): void {
    this.#policy.restart()
    this.#isCompacting = false
    this.look()
  }

  stop(): void {
    this.#timer?.cancel()
    this.#timer = undefined
  }

  /** To be called after changes. */
  look(): void {
    const { world, model, isLeading, compact } = this.#options
    if (!isLeading()) return
    const { stats, revision } = model
    if (stats.revisionsKept === 0) return
    const nowMs = world.clock.monotonicMs()
    this.#policy.note(revision, nowMs)
    this.#arm()
    if (this.#isCompacting) return
    const target = this.#policy.due({ ...stats, revision, quotaBytes: this.#options.quotaBytes() }, nowMs)
    if (target === undefined) return
    this.#isCompacting = true
    compact(target, () => {
      this.#isCompacting = false
    })
  }

  /** While there is a history, and only then: an idle store has no timer. */
  #arm(): void {
    const { lookEveryMs } = this.#policy
    if (this.#timer !== undefined || lookEveryMs === 0) return
    this.#timer = this.#options.world.timers.after(lookEveryMs, () => {
      this.#timer = undefined
      this.look()
    })
  }
}
