import { FindingsCollector, type FindingsResult } from './verdict.ts'

/** One tenure of a lock. Times are of one order: the store's revisions, or the true time of the simulator. */
export interface LockTenure {
  readonly lock: string
  readonly holder: string
  readonly token: number
  /** From here on, itself included. */
  readonly from: number
  /** Up to here, itself excluded; `Infinity` while it lasts. */
  readonly until: number
}

/**
 * Judges that a lock has one holder at a time (`exclusive`), that no token is given twice (`token-unique`), and that later tenures have greater tokens
 * (`token-grows`). O(n log n).
 */
export function checkLockHolders(tenures: readonly LockTenure[]): FindingsResult {
  const findings = new FindingsCollector()
  const byLock = new Map<string, LockTenure[]>()
  for (const tenure of tenures) {
    const others = byLock.get(tenure.lock)
    if (others === undefined) byLock.set(tenure.lock, [tenure])
    else others.push(tenure)
  }
  for (const ofLock of byLock.values()) checkOneLock(ofLock, findings)
  return findings.result()
}

function checkOneLock(tenures: LockTenure[], findings: FindingsCollector): void {
  tenures.sort((a, b) => a.from - b.from || a.token - b.token)
  const holders = new Map<number, LockTenure>()
  /** The tenure that lasts longest of those before. */
  let longest: LockTenure | undefined
  let newest: LockTenure | undefined
  for (const tenure of tenures) {
    const who = `${tenure.holder} (token ${tenure.token}, from ${tenure.from})`
    const twin = holders.get(tenure.token)
    if (twin !== undefined) {
      findings.add(
        'token-unique',
        `lock ${tenure.lock}: ${who} has the token of ${twin.holder} (from ${twin.from})`,
      )
    } else if (newest !== undefined && tenure.token < newest.token) {
      findings.add(
        'token-grows',
        `lock ${tenure.lock}: ${who} comes after ${newest.holder} (token ${newest.token})`,
      )
    }
    if (longest !== undefined && tenure.from < longest.until && tenure.until > tenure.from) {
      const other = `${longest.holder} (token ${longest.token}) holds it until ${longest.until}`
      findings.add('exclusive', `lock ${tenure.lock}: ${who} while ${other}`)
    }
    holders.set(tenure.token, tenure)
    if (newest === undefined || tenure.token > newest.token) newest = tenure
    if (longest === undefined || tenure.until > longest.until) longest = tenure
  }
}
