import { checkLeaseLives, type LeaseRecord } from '../checkers/lease-life.ts'
import type { CommittedLog } from './committed-log.ts'
import { violationOf } from './findings.ts'
import type { InvariantViolation } from './violation.ts'

/**
 * A lease that was granted, or kept alive, by a call sent at t, lives until t + ttl of true time less the drift of the clock that measures it, whoever leads
 * meanwhile. Gray and Cheriton, "Leases" (1989), section 3.1; etcd's lessor, which starts all leases anew at a change of leader.
 */
export function checkLeaseNeverEarly(
  records: readonly LeaseRecord[],
  log: CommittedLog,
  driftRatioMax: number,
): InvariantViolation | undefined {
  const ends: LeaseRecord[] = []
  for (const { command, change, timeMs } of log.commands) {
    if (command.type !== 'expireLeases' || change === undefined) continue
    for (const lease of change.leasesEnded) ends.push({ type: 'expired', lease, at: timeMs })
  }
  return violationOf('lease-never-early', checkLeaseLives([...records, ...ends], { driftRatioMax }))
}
