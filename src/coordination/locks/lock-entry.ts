import { bytesFromText, prefixEnd, textFromBytes, type ByteString } from '../../base/bytes.ts'
import type { KeyRange } from '../../contracts/store.ts'
import { keySegment, nameOfSegment } from '../names.ts'

/**
 * The keys of locks. A party of lock NAME has one key `/althing/locks/NAME/ID` (`NAME/r-ID` to read), which hangs on its lease; the parties are served in the order
 * of the create revisions of their keys, and that revision is the fencing token.
 */
export const locksPrefix: ByteString = '/althing/locks/'
const auditPrefix: ByteString = '/althing/audit/locks/'

export interface LockEntry {
  readonly owner?: string
  readonly note?: string
  readonly traceId?: string
  readonly ttlMs: number
  readonly queuedAtMs: number
  readonly heldSinceMs?: number
  /** Set by an operator, just before the key is deleted. */
  readonly forced?: { readonly by: string; readonly reason: string }
}

export function lockQueueRange(name: string): { readonly key: ByteString; readonly end: ByteString } {
  return prefixRange(`${locksPrefix}${keySegment('name', name)}/`)
}

export function lockAuditRange(name: string): { readonly key: ByteString; readonly end: ByteString } {
  return prefixRange(`${auditPrefix}${keySegment('name', name)}/`)
}

export function lockAuditKey(name: string, token: number): ByteString {
  return lockAuditRange(name).key + String(token).padStart(16, '0')
}

export function prefixRange(prefix: ByteString): { readonly key: ByteString; readonly end: ByteString } {
  return { key: prefix, end: prefixEnd(prefix) as ByteString } satisfies KeyRange
}

/** The name of the lock of a queue key; undefined for a key of another form. */
export function lockNameOfKey(key: ByteString): string | undefined {
  const segment = key.slice(locksPrefix.length, key.lastIndexOf('/'))
  try {
    return segment.length === 0 || segment.includes('/') ? undefined : nameOfSegment(segment)
  } catch {
    return undefined
  }
}

export function encodeLockEntry(entry: LockEntry): Uint8Array {
  return bytesFromText(JSON.stringify(entry))
}

/** Undefined when the value is not what this package writes. */
export function decodeLockEntry(value: Uint8Array): LockEntry | undefined {
  try {
    const entry: unknown = JSON.parse(textFromBytes(value))
    if (typeof entry !== 'object' || entry === null) return undefined
    const { ttlMs, queuedAtMs } = entry as Partial<LockEntry>
    return typeof ttlMs === 'number' && typeof queuedAtMs === 'number' ? (entry as LockEntry) : undefined
  } catch {
    return undefined
  }
}
