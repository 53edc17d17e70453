import type { Clock } from '../../contracts/world.ts'
import { kvModel } from '../checkers/models/kv.ts'
import { versionedKvModel } from '../checkers/models/versioned-kv.ts'
import { checkAcknowledgedWrites } from '../invariants/acknowledged-writes.ts'
import { checkLeaseNeverEarly } from '../invariants/lease-never-early.ts'
import { checkLinearizableHistory } from '../invariants/linearizable-history.ts'
import { checkLocalReadsMonotone } from '../invariants/local-reads-monotone.ts'
import { checkFencedWrites, checkLockExclusive } from '../invariants/lock-exclusive.ts'
import { checkReadsShowPastStates } from '../invariants/reads-past-states.ts'
import { checkRealTimeOrder } from '../invariants/real-time-order.ts'
import type { InvariantViolation } from '../invariants/violation.ts'
import { checkWatchDelivery } from '../invariants/watch-delivery.ts'
import { clientRange } from '../../models/store/system-keys.ts'
import type { StoreConfiguration } from './configuration.ts'
import type { GroupUnderTest } from './group-under-test.ts'
import { guardedKey } from './lock-client.ts'
import type { LiveWatch } from './observations.ts'
import type { StoreRun } from './simulate-store.ts'
import { lastRevisionOf } from './healing.ts'

/** By how much a clock of the simulated world may run fast at most (see the fault `clock-drift`). */
const driftRatioMax = 0.0101
const historyLimitMs = 20_000

export interface Judgement {
  readonly violation: InvariantViolation | undefined
  /** Some history could not be judged within its bounds. */
  readonly isUnknown: boolean
}

/** Judges what the clients of a run saw, of each group, once it has ended. */
export function judgeObservations(run: StoreRun, clock: Pick<Clock, 'monotonicMs'>): Judgement {
  let isUnknown = false
  for (const group of run.cluster.groups.values()) {
    const judgement = judgeGroup(group, run.configuration, clock)
    if (judgement.violation !== undefined) return judgement
    isUnknown ||= judgement.isUnknown
  }
  return { violation: undefined, isUnknown }
}

function judgeGroup(
  group: GroupUnderTest,
  configuration: StoreConfiguration,
  clock: Pick<Clock, 'monotonicMs'>,
): Judgement {
  const { observations, log } = group
  const { answers } = observations
  const violation =
    checkAcknowledgedWrites(answers, log) ??
    checkReadsShowPastStates(answers, log) ??
    checkRealTimeOrder(answers) ??
    checkLocalReadsMonotone(observations.looks) ??
    checkWatchDelivery(completed(group), log) ??
    checkLeaseNeverEarly(observations.leases, log, driftRatioMax) ??
    checkLockExclusive(observations.locks.tenures) ??
    checkFencedWrites(guardedKeys(configuration), log)
  if (violation !== undefined) return { violation, isUnknown: false }
  const limits = { clock, timeLimitMs: historyLimitMs }
  const keys = checkLinearizableHistory(versionedKvModel(), observations.keys.operations(), limits)
  if (keys.violation !== undefined) return keys
  const txns = checkLinearizableHistory(kvModel(), observations.txns.operations(), limits)
  return { violation: txns.violation, isUnknown: keys.isUnknown || txns.isUnknown }
}

/** Who listened to the end must have heard all of it: all but what concerns the cluster's own keys, which no client sees. */
function completed({ observations, log }: GroupUnderTest): readonly LiveWatch[] {
  return observations.watches.map((watch) => {
    const request = clientRange(watch.request)
    return watch.isLive
      ? { ...watch, request, completeUntil: lastRevisionOf(log.events, request) }
      : { ...watch, request }
  })
}

function guardedKeys(configuration: StoreConfiguration): Map<string, string> {
  const names = Array.from({ length: configuration.locks }, (_, i) => `lock${i + 1}`)
  return new Map(names.map((name) => [guardedKey(name), name]))
}
