import { crc32 } from 'node:zlib'
import {
  alignUp,
  hasZeroSector,
  isZero,
  payloadOf,
  type RecordHeader,
  readRecordHeader,
  recordAlignment,
  recordHeaderBytes,
  sectorBytes,
} from './record.ts'

/** A whole record: where it stands and what it holds. */
export interface ScannedRecord {
  readonly offset: number
  readonly payload: Buffer
}

/** How the records of a segment end. */
export type ScanEnd =
  /** Zeros only from `offset` on. */
  | { readonly kind: 'end'; readonly offset: number; readonly crc: number }
  /** At `offset` a write was under way when the node died; it was never acknowledged. Only the last segment may end so. */
  | { readonly kind: 'torn'; readonly offset: number; readonly crc: number }
  /** What stands at `offset` was once whole. */
  | { readonly kind: 'corrupt'; readonly offset: number; readonly reason: string }

type Verdict =
  | { readonly kind: 'record'; readonly header: RecordHeader; readonly next: number }
  | { readonly kind: 'end' | 'torn' }
  | { readonly kind: 'corrupt'; readonly reason: string }

/** Gives each whole record from `from` on to `visit`, in order, until the records end. Reads `bytes` (the whole file), changes nothing. */
export function scanRecords(
  bytes: Buffer,
  from: number,
  previousCrc: number,
  visit: (record: ScannedRecord) => void,
): ScanEnd {
  let offset = from
  let crc = previousCrc
  for (;;) {
    const verdict = judge(bytes, offset, crc)
    switch (verdict.kind) {
      case 'corrupt':
        return { kind: 'corrupt', offset, reason: verdict.reason }
      case 'end':
      case 'torn':
        return { kind: verdict.kind, offset, crc }
      case 'record': {
        const start = offset + recordHeaderBytes
        const { length, mask } = verdict.header
        visit({ offset, payload: payloadOf(bytes.subarray(start, start + length), mask) })
        crc = verdict.header.crc
        offset = verdict.next
      }
    }
  }
}

function judge(bytes: Buffer, offset: number, previousCrc: number): Verdict {
  const headerEnd = Math.min(offset + recordHeaderBytes, bytes.length)
  if (isZero(bytes, offset, headerEnd)) return judgeZeroHeader(bytes, offset)
  const header = readRecordHeader(bytes, offset)
  if (header === undefined) {
    // A write that was cut inside its first sixteen bytes has left nothing behind them.
    if (isZero(bytes, headerEnd, bytes.length)) return { kind: 'torn' }
    return corrupt('the header of the record fails its checksum')
  }
  const end = headerEnd + header.length
  if (end > bytes.length) return corrupt('the record goes over the end of its segment')
  const next = Math.min(alignUp(end, recordAlignment), bytes.length)
  if (crc32(bytes.subarray(headerEnd, end), previousCrc) === header.crc) {
    if (!isZero(bytes, end, next)) return corrupt('the padding after the record is not zero')
    return { kind: 'record', header, next }
  }
  return judgeBadPayload(bytes, offset, end, header)
}

function judgeZeroHeader(bytes: Buffer, offset: number): Verdict {
  if (isZero(bytes, offset, bytes.length)) return { kind: 'end' }
  const sectorEnd = Math.min(alignUp(offset + 1, sectorBytes), bytes.length)
  if (!isZero(bytes, offset, sectorEnd)) {
    return corrupt('the header of a record is zero, but not the rest of its sector')
  }
  for (let at = sectorEnd; at < bytes.length; at += recordAlignment) {
    if (readRecordHeader(bytes, at) !== undefined) {
      return corrupt(`the record is zero, but another follows at offset ${at}`)
    }
  }
  return { kind: 'torn' }
}

function judgeBadPayload(bytes: Buffer, offset: number, end: number, header: RecordHeader): Verdict {
  if (!isZero(bytes, end, bytes.length)) return corrupt('the record fails its checksum, and is not the last')
  const cutShort = bytes[end - 1] === 0 || (!header.unmaskable && hasZeroSector(bytes, offset, end))
  return cutShort ? { kind: 'torn' } : corrupt('the record fails its checksum')
}

function corrupt(reason: string): Verdict {
  return { kind: 'corrupt', reason }
}
