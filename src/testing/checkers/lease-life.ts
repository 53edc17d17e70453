import { FindingsCollector, type FindingsResult } from './verdict.ts'

/** What happened to leases, in milliseconds of one true time. */
export type LeaseRecord =
  /** Granted or kept alive: asked for at `sentAt`, acknowledged at `acknowledgedAt`. Only acknowledged ones are recorded. */
  | {
      readonly type: 'granted' | 'renewed'
      readonly lease: number
      readonly ttlMs: number
      readonly sentAt: number
      readonly acknowledgedAt: number
    }
  /** Its time ran out by the store. */
  | { readonly type: 'expired'; readonly lease: number; readonly at: number }
  /** Somebody asked for its end, from this moment on. */
  | { readonly type: 'revoked'; readonly lease: number; readonly at: number }

export interface LeaseLifeOptions {
  /** By how much the clock that measures may run fast, as a share: 0.01 for one in a hundred. Default 0. */
  readonly driftRatioMax?: number
}

/**
 * Judges that no lease ends early (`not-early`): not before its ttl has passed since the sending of the last renewal that was acknowledged; and that it ends once
 * (`ends-once`) and is not renewed after its end (`no-return`).
 */
export function checkLeaseLives(
  records: readonly LeaseRecord[],
  options: LeaseLifeOptions = {},
): FindingsResult {
  const findings = new FindingsCollector()
  const pace = 1 / (1 + (options.driftRatioMax ?? 0))
  const byLease = new Map<number, LeaseRecord[]>()
  for (const record of records) {
    const others = byLease.get(record.lease)
    if (others === undefined) byLease.set(record.lease, [record])
    else others.push(record)
  }
  for (const [lease, ofLease] of byLease) checkOneLease(lease, ofLease, pace, findings)
  return findings.result()
}

function checkOneLease(
  lease: number,
  records: readonly LeaseRecord[],
  pace: number,
  findings: FindingsCollector,
): void {
  const expiries = records.filter((record) => record.type === 'expired').sort((a, b) => a.at - b.at)
  const [expired, again] = expiries
  if (expired === undefined) return
  if (again !== undefined)
    findings.add('ends-once', `lease ${lease} expired at ${expired.at} and again at ${again.at}`)
  for (const record of records) {
    if (record.type !== 'granted' && record.type !== 'renewed') continue
    const { type, ttlMs, sentAt, acknowledgedAt } = record
    if (sentAt > expired.at) {
      findings.add(
        'no-return',
        `lease ${lease} was ${type} at ${sentAt}, after it had expired at ${expired.at}`,
      )
      continue
    }
    const aliveUntil = sentAt + ttlMs * pace
    if (expired.at < aliveUntil) {
      const kept = `${type} at ${sentAt} (acknowledged at ${acknowledgedAt}) for ${ttlMs} ms`
      findings.add('not-early', `lease ${lease} expired at ${expired.at}, although it was ${kept}`)
    }
  }
}
