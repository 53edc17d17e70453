import { invalidArgument } from '../../contracts/errors.ts'
import { softShare } from './store-admission.ts'

export interface HistoryBounds {
  /** Revisions kept for older reads and for watches that resume (default 25,000; 0: no bound by number). */
  readonly keepRevisions: number
  /** For how long they are kept (default 1 hour; 0: no bound by age). What the leader has not seen itself it takes to have happened when it began to lead. */
  readonly keepMs: number
}

export const historyBounds: HistoryBounds = { keepRevisions: 25_000, keepMs: 3_600_000 }

export interface HistoryState {
  readonly revision: number
  readonly revisionsKept: number
  readonly bytes: number
  readonly historyBytes: number
  readonly quotaBytes: number
}

interface Moment {
  readonly atMs: number
  readonly revision: number
}

/** Moments noted within the time that history is kept: its age is known to within a part of so many. */
const momentsKept = 32
/** The share of the quota that history may take once the store is nearly full. */
const historyShareWhenNearlyFull = 0.1

/**
 * When the leader compacts, and to which revision. Pure: it is told the monotonic time and the state.
 *
 * By number: when half as many more have gathered than are to be kept. By age: the revision noted that long ago. By size: a store that is nearly full gives up
 * the older half of its history, again and again, and a full one all of it, before it refuses to grow.
 */
export class HistoryPolicy {
  readonly #bounds: HistoryBounds
  #moments: Moment[] = []

  constructor(bounds: Partial<HistoryBounds> = {}) {
    this.#bounds = { ...historyBounds, ...bounds }
    for (const name of ['keepRevisions', 'keepMs'] as const) {
      const value = this.#bounds[name]
      if (!(Number.isSafeInteger(value) && value >= 0))
        throw invalidArgument(name, value, 'a whole number >= 0')
    }
  }

  /** Time between two looks at the age of the history; 0: its age does not matter. */
  get lookEveryMs(): number {
    return Math.ceil(this.#bounds.keepMs / momentsKept)
  }

  /** This node begins to lead: it knows nothing of when its revisions were made. */
  restart(): void {
    this.#moments = []
  }

  /** Notes what revision there is now. To be called with each change, and whenever {@link lookEveryMs} has passed. */
  note(revision: number, nowMs: number): void {
    if (this.#bounds.keepMs === 0) return
    const last = this.#moments.at(-1)
    if (last !== undefined && nowMs - last.atMs < this.lookEveryMs) return
    this.#moments.push({ atMs: nowMs, revision })
  }

  /** The revision to compact to now, if any. */
  due(state: HistoryState, nowMs: number): number | undefined {
    if (this.#bounds.keepRevisions === 0 && this.#bounds.keepMs === 0) return undefined
    const revision = Math.max(this.#byNumber(state), this.#byAge(nowMs), this.#bySize(state))
    const compactRevision = state.revision - state.revisionsKept
    return revision > compactRevision ? revision : undefined
  }

  #byNumber({ revision, revisionsKept }: HistoryState): number {
    const { keepRevisions } = this.#bounds
    return keepRevisions > 0 && revisionsKept >= keepRevisions * 1.5 ? revision - keepRevisions : 0
  }

  #byAge(nowMs: number): number {
    let revision = 0
    while (this.#moments.length > 0) {
      const { atMs, revision: noted } = this.#moments[0] as Moment
      if (nowMs - atMs < this.#bounds.keepMs) break
      this.#moments.shift()
      revision = noted
    }
    return revision
  }

  #bySize({ revision, revisionsKept, bytes, historyBytes, quotaBytes }: HistoryState): number {
    if (bytes >= quotaBytes) return revision
    const isTooMuch =
      bytes >= softShare * quotaBytes && historyBytes > historyShareWhenNearlyFull * quotaBytes
    return isTooMuch ? revision - (revisionsKept >> 1) : 0
  }
}
