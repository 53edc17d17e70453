import type { Timer } from '../../contracts/world.ts'
import type { Connections } from './connections.ts'
import { type Script, scripts } from './script.ts'

export interface HistoryBounds {
  /** Revisions whose events are kept, about; 0: no bound by number. */
  readonly keepRevisions: number
  /** For how long events are kept, about; 0: no bound by age. */
  readonly keepMs: number
}

export const sweepMsMax = 500
const leasesPerSweep = 500
const sweepMsMin = 5
const historyMs = 30_000
const purgedPerStep = 1_000
const purgePauseMs = 50
/** For which what was compacted stays readable to watches that are up to date. */
const graceMs = 10_000

/**
 * What every client does for all: it ends leases whose time is over, keeps the history short, and looks whether the server is still set up as it was. The server decides by its own clock what is to be done; so it does not matter how many clients there
 * are, but there must be one.
 */
export class Upkeep {
  readonly #connections: Connections
  readonly #bounds: HistoryBounds
  readonly #inspect: () => Promise<void>
  #sweep: Timer | undefined
  #history: Timer | undefined
  #isClosed = false

  /** `inspect` never rejects. */
  constructor(connections: Connections, bounds: HistoryBounds, inspect: () => Promise<void>) {
    this.#connections = connections
    this.#bounds = bounds
    this.#inspect = inspect
  }

  start(): void {
    this.#sweepAfter(0)
    this.#historyAfter(historyMs * this.#connections.world.random.float())
  }

  /** A lease that ends in `ms` was granted: there may be no other client that looks so soon. */
  endsIn(ms: number): void {
    if (ms < sweepMsMax) this.#sweepAfter(ms)
  }

  /** The history has something to clear. */
  purgeSoon(): void {
    this.#historyAfter(purgePauseMs)
  }

  close(): void {
    this.#isClosed = true
    this.#sweep?.cancel()
    this.#history?.cancel()
  }

  #sweepAfter(ms: number): void {
    if (this.#isClosed) return
    this.#sweep?.cancel()
    this.#sweep = this.#connections.world.timers.after(ms, () => void this.#sweepNow())
  }

  async #sweepNow(): Promise<void> {
    const next = await this.#run(scripts.sweep, [this.#connections.place.channel, String(leasesPerSweep)])
    // Half of the longest wait at least: clients that began together must not go on together.
    const longest = sweepMsMax * (0.5 + this.#connections.world.random.float() / 2)
    this.#sweepAfter(next === undefined || next < 0 ? longest : Math.min(longest, Math.max(sweepMsMin, next)))
  }

  #historyAfter(ms: number): void {
    if (this.#isClosed) return
    this.#history?.cancel()
    this.#history = this.#connections.world.timers.after(ms, () => void this.#keepHistoryShort())
  }

  async #keepHistoryShort(): Promise<void> {
    const { keepRevisions, keepMs } = this.#bounds
    await this.#run(scripts.mark, [String(keepRevisions), String(keepMs)])
    const purged = await this.#run(scripts.purge, [String(purgedPerStep), String(graceMs)])
    const hasMore = purged === 1
    if (!hasMore && !this.#isClosed) await this.#inspect()
    const jitter = 0.5 + this.#connections.world.random.float()
    this.#historyAfter((hasMore ? purgePauseMs : historyMs) * jitter)
  }

  /** `undefined` where it came to nothing: there is a next time. */
  async #run(script: Script, args: readonly string[]): Promise<number | undefined> {
    if (this.#isClosed) return undefined
    const tried = await this.#connections.try({ script, args })
    return 'answer' in tried ? (tried.answer as number) : undefined
  }
}
