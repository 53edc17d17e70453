import type { KeyValue, LeaseStatus, ReadOptions, Store } from '../../contracts/store.ts'
import { decodeLockEntry } from './lock-entry.ts'

/** One who holds, or waits. Wall times are those of the machine that wrote them. */
export interface Party {
  readonly token: number
  readonly owner?: string
  readonly note?: string
  readonly traceId?: string
  readonly ttlMs: number
  readonly lease: number
  readonly queuedAtMs: number
  /** Holders only. */
  readonly heldSinceMs?: number
  /** How long ago the store last renewed the lease; absent when the serving node does not measure it. */
  readonly sinceRenewalMs?: number
  /** After this time without a renewal the store gives the right to the next. Same condition. */
  readonly endsInMs?: number
}

export type Leases = ReadonlyMap<number, LeaseStatus>

/** What the store knows of the last renewals, for as many parties as there are. */
export async function leasesOf(
  store: Store,
  kvs: readonly KeyValue[],
  options: ReadOptions,
): Promise<Leases> {
  if (kvs.length === 0) return new Map()
  return new Map((await store.leases(options)).map((status) => [status.lease, status]))
}

export function partyOf(kv: KeyValue, leases: Leases): Party {
  const { owner, note, traceId, ttlMs, queuedAtMs, heldSinceMs } = decodeLockEntry(kv.value) ?? {
    ttlMs: 0,
    queuedAtMs: 0,
  }
  const lease = leases.get(kv.lease)
  const remainingMs = lease?.remainingMs
  return {
    ...(owner === undefined ? {} : { owner }),
    ...(note === undefined ? {} : { note }),
    ...(traceId === undefined ? {} : { traceId }),
    ...(heldSinceMs === undefined ? {} : { heldSinceMs }),
    ttlMs,
    queuedAtMs,
    token: kv.createRevision,
    lease: kv.lease,
    ...(lease === undefined || remainingMs === undefined
      ? {}
      : { sinceRenewalMs: Math.max(0, lease.ttlMs - remainingMs), endsInMs: remainingMs }),
  }
}

/** The one that did not have to wait wrote its key once, and has held since. */
export function holding<P extends Party>(party: P): P {
  return { ...party, heldSinceMs: party.heldSinceMs ?? party.queuedAtMs }
}
