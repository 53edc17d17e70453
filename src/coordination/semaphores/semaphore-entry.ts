import { bytesFromText, type ByteString, textFromBytes } from '../../base/bytes.ts'
import type { KeyValue } from '../../contracts/store.ts'
import { decodeLockEntry, type LockEntry, prefixRange } from '../locks/lock-entry.ts'
import { keySegment, nameOfSegment } from '../names.ts'

/**
 * The keys of semaphores. A party of semaphore NAME has one key `/althing/semaphores/NAME/ID` on its lease, as with locks; an operator's limit, which stays
 * until an operator takes it away, is `/althing/semaphores/NAME/limit`.
 */
export const semaphoresPrefix: ByteString = '/althing/semaphores/'
const auditPrefix: ByteString = '/althing/audit/semaphores/'
const limitSegment = 'limit'

export interface PermitEntry extends LockEntry {
  readonly permits: number
  /** What its program says that the limit is. */
  readonly limit?: number
}

/** What an operator has set. */
export interface LimitEntry {
  readonly limit: number
  readonly by: string
  readonly atMs: number
}

export function semaphoreRange(name: string): { readonly key: ByteString; readonly end: ByteString } {
  return prefixRange(`${semaphoresPrefix}${keySegment('name', name)}/`)
}

export function limitKey(name: string): ByteString {
  return semaphoreRange(name).key + limitSegment
}

export function isLimitKey(key: ByteString): boolean {
  return key.endsWith(`/${limitSegment}`)
}

export function semaphoreAuditRange(name: string): { readonly key: ByteString; readonly end: ByteString } {
  return prefixRange(`${auditPrefix}${keySegment('name', name)}/`)
}

export function permitAuditKey(name: string, token: number): ByteString {
  return `${semaphoreAuditRange(name).key}release/${String(token).padStart(16, '0')}`
}

export function limitAuditKey(name: string, id: string): ByteString {
  return `${semaphoreAuditRange(name).key}limit/${id}`
}

/** Undefined for a key of another form. */
export function semaphoreNameOfKey(key: ByteString): string | undefined {
  const segment = key.slice(semaphoresPrefix.length, key.lastIndexOf('/'))
  try {
    return segment.length === 0 || segment.includes('/') ? undefined : nameOfSegment(segment)
  } catch {
    return undefined
  }
}

/** A party whose entry cannot be read counts as one permit that is held. */
export function permitEntry(kv: KeyValue): PermitEntry {
  const entry = decodeLockEntry(kv.value) as (LockEntry & Partial<PermitEntry>) | undefined
  if (entry === undefined) return { ttlMs: 0, queuedAtMs: 0, heldSinceMs: 0, permits: 1 }
  const { permits } = entry
  return {
    ...entry,
    permits: permits !== undefined && Number.isInteger(permits) && permits > 0 ? permits : 1,
  }
}

export function encodeLimit(entry: LimitEntry): Uint8Array {
  return bytesFromText(JSON.stringify(entry))
}

export function decodeLimit(value: Uint8Array): LimitEntry | undefined {
  try {
    const entry = JSON.parse(textFromBytes(value)) as Partial<LimitEntry> | null
    return Number.isInteger(entry?.limit) ? (entry as LimitEntry) : undefined
  } catch {
    return undefined
  }
}
