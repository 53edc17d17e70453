import type { LeaseId, LeaseStatus } from '../../contracts/store.ts'
import { InvariantViolation } from './violation.ts'

/**
 * Once nobody renews it any more a lease ends, and with it its keys. DESIGN.md section 3: at most `leaseExpiryResolutionMs` after its time while
 * the store serves.
 */
export function checkLeasesEnded(
  leases: readonly LeaseStatus[],
  keysWithLease: readonly { readonly key: string; readonly lease: LeaseId }[],
  waitedMs: number,
): InvariantViolation | undefined {
  const [lease] = leases
  if (lease !== undefined) {
    const what = `lease ${lease.lease} of ${lease.ttlMs} ms`
    return new InvariantViolation(
      'lease-ends',
      `${what} is there ${waitedMs} ms after the last client has gone`,
    )
  }
  const orphan = keysWithLease[0]
  if (orphan === undefined) return undefined
  const what = `${JSON.stringify(orphan.key)} is there after its lease ${orphan.lease} has ended`
  return new InvariantViolation('lease-ends', what)
}
