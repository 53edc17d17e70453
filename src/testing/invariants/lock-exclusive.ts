import { textFromBytes } from '../../base/bytes.ts'
import { checkLockHolders, type LockTenure } from '../checkers/lock-holders.ts'
import type { CommittedLog } from './committed-log.ts'
import { violationOf } from './findings.ts'
import { InvariantViolation } from './violation.ts'

const name = 'lock-exclusive'

/**
 * At any moment of true time at most one process is told that it holds a lock, and tokens only grow. Gray and Cheriton, "Leases" (1989); what a process that
 * was stopped believes is judged by what it would be told at that moment.
 */
export function checkLockExclusive(tenures: readonly LockTenure[]): InvariantViolation | undefined {
  return violationOf(name, checkLockHolders(tenures))
}

/**
 * What is written under the fence of a lock carries tokens that never go back: a former holder is refused. Kleppmann, "How to do distributed locking" (2016).
 * `keys` maps each guarded key to its lock; values are `TOKEN:…`.
 */
export function checkFencedWrites(
  keys: ReadonlyMap<string, string>,
  log: CommittedLog,
): InvariantViolation | undefined {
  const newest = new Map<string, number>()
  for (const { revision, events } of log.events.revisions) {
    for (const event of events) {
      if (event.type !== 'put') continue
      const lock = keys.get(event.kv.key)
      if (lock === undefined) continue
      const token = Number(textFromBytes(event.kv.value).split(':')[0])
      const before = newest.get(lock) ?? 0
      newest.set(lock, Math.max(before, token))
      if (token >= before) continue
      const what = `the holder with token ${token} wrote at revision ${revision}, after that with token ${before}`
      return new InvariantViolation(name, `lock ${lock}: ${what}`)
    }
  }
  return undefined
}
