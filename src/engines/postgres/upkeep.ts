import type { Timer } from '../../contracts/world.ts'
import type { Connections, Statement } from './connections.ts'
import type { Place } from './place.ts'
import { sweepMsMax } from './server-settings.ts'

export interface HistoryBounds {
  /** Revisions whose events are kept, about; 0: no bound by number. */
  readonly keepRevisions: number
  /** For how long events are kept, about; 0: no bound by age. */
  readonly keepMs: number
}

const leasesPerSweep = 500
const sweepMsMin = 5
const historyMs = 30_000
const purgedPerStep = 500
const purgePauseMs = 100
/** For which what was compacted stays readable to watches that are up to date. */
const graceMs = 10_000
const attemptMs = 5_000

/**
 * What every client does for all: it ends leases whose time is over, and keeps the history short. The server decides by its own clock what is to be done, and that only one of the clients does it; so it does not
 * matter how many there are, but there must be one.
 */
export class Upkeep {
  readonly #connections: Connections
  readonly #schema: string
  readonly #bounds: HistoryBounds
  #sweep: Timer | undefined
  #history: Timer | undefined
  #isClosed = false

  constructor(connections: Connections, { schema }: Place, bounds: HistoryBounds) {
    this.#connections = connections
    this.#schema = schema
    this.#bounds = bounds
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
    const tried = await this.#connections.try(this.#statement('sweep_leases', [leasesPerSweep]), attemptMs)
    const next = 'rows' in tried ? tried.rows[0]?.result : undefined
    // Half of the longest wait at least: clients that began together must not go on together.
    const longest = sweepMsMax * (0.5 + this.#connections.world.random.float() / 2)
    this.#sweepAfter(typeof next === 'number' ? Math.min(longest, Math.max(sweepMsMin, next)) : longest)
  }

  #historyAfter(ms: number): void {
    if (this.#isClosed) return
    this.#history?.cancel()
    this.#history = this.#connections.world.timers.after(ms, () => void this.#keepHistoryShort())
  }

  async #keepHistoryShort(): Promise<void> {
    const { keepRevisions, keepMs } = this.#bounds
    await this.#connections.try(this.#statement('mark_and_compact', [keepRevisions, keepMs]), attemptMs)
    if (this.#isClosed) return
    const purged = await this.#connections.try(
      this.#statement('purge_history', [purgedPerStep, graceMs]),
      attemptMs,
    )
    const hasMore = 'rows' in purged && purged.rows[0]?.result === true
    const jitter = 0.5 + this.#connections.world.random.float()
    this.#historyAfter((hasMore ? purgePauseMs : historyMs) * jitter)
  }

  #statement(name: string, values: readonly number[]): Statement {
    const parameters = values.map((_, i) => `$${i + 1}`).join(', ')
    return { text: `select ${this.#schema}.${name}(${parameters}) as result`, values }
  }
}
