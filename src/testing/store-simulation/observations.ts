import type { Clock } from '../../contracts/world.ts'
import type { LeaseRecord } from '../checkers/lease-life.ts'
import type { WatchObservation } from '../checkers/watch-guarantees.ts'
import { HistoryRecorder } from '../history/history-recorder.ts'
import type { Answer } from '../invariants/answers.ts'
import type { LocalLook } from '../invariants/local-reads-monotone.ts'
import { InvariantViolation } from '../invariants/violation.ts'
import { LockWatcher } from './lock-watcher.ts'

/** A watcher, as far as it has come. */
export interface LiveWatch extends WatchObservation {
  readonly batches: WatchObservation['batches'][number][]
  /** Revision up to which it was told everything. */
  toldUntil: number
  /** False once its client has stopped listening. */
  isLive: boolean
}

/** What the clients of a run saw, by true time, and what was seen of the copies. */
export class Observations {
  /** Of single keys, for a checker that knows revisions. */
  readonly keys: HistoryRecorder
  /** Of transactions over several keys. */
  readonly txns: HistoryRecorder
  readonly answers: Answer[] = []
  readonly leases: LeaseRecord[] = []
  readonly watches: LiveWatch[] = []
  readonly looks: LocalLook[] = []
  readonly locks = new LockWatcher()
  readonly #violated: (violation: InvariantViolation) => void
  constructor(clock: Pick<Clock, 'monotonicMs'>, violated: (violation: InvariantViolation) => void) {
    this.keys = new HistoryRecorder(clock)
    this.txns = new HistoryRecorder(clock)
    this.#violated = violated
  }

  /** A client process was killed: it holds no locks and listens no more. */
  died(nowMs: number, process: string): void {
    this.locks.died(nowMs, process)
    for (const watch of this.watches) if (watch.name.startsWith(`${process}.`)) watch.isLive = false
  }

  /** Ends the run: something was seen that must never be. */
  violated(invariant: string, message: string): void {
    this.#violated(new InvariantViolation(invariant, message))
  }
}
