import { checkWatches, type WatchObservation } from '../checkers/watch-guarantees.ts'
import type { CommittedLog } from './committed-log.ts'
import { violationOf } from './findings.ts'
import type { InvariantViolation } from './violation.ts'

/**
 * Watchers were told every event of their range, in order, once, whole revisions at a time, over reconnects, snapshots and compactions. etcd,
 * "KV API guarantees", section "Watch APIs"; judged by the log.
 */
export function checkWatchDelivery(
  observations: readonly WatchObservation[],
  log: CommittedLog,
): InvariantViolation | undefined {
  return violationOf('watch-delivery', checkWatches(log.events, observations))
}
