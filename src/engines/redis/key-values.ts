import { type ByteString, byteStringFromBytes } from '../../base/bytes.ts'
import type { KeyValue } from '../../contracts/store.ts'

/** `[key, head, record]` as they lie in the server; an empty record where the value was not asked for. */
export type RawKeyValue = readonly [key: Buffer, head: Buffer, record: Buffer]

/** Before the value: create revision, version, lease. */
const recordHeadBytes = 24

export function keyValueOf([key, head, record]: RawKeyValue): KeyValue {
  return headedOf(byteStringFromBytes(key), head, record)
}

export function headedOf(key: ByteString, head: Buffer, record: Buffer): KeyValue {
  return {
    key,
    value: valueOf(record),
    createRevision: head.readDoubleBE(0),
    modRevision: head.readDoubleBE(8),
    version: head.readDoubleBE(16),
    lease: head.readDoubleBE(24),
  }
}

/** A version by its record alone. */
export function versionOf(key: ByteString, modRevision: number, record: Buffer): KeyValue {
  return {
    key,
    value: valueOf(record),
    createRevision: record.readDoubleBE(0),
    modRevision,
    version: record.readDoubleBE(8),
    lease: record.readDoubleBE(16),
  }
}

/** The name of a version among all. */
export function versionField(modRevision: number, key: ByteString): Buffer {
  const field = Buffer.allocUnsafe(8 + key.length)
  field.writeDoubleBE(modRevision, 0)
  field.write(key, 8, 'latin1')
  return field
}

/** A value of its own: not a view of what the connection has read. */
function valueOf(record: Buffer): Uint8Array {
  return record.byteLength <= recordHeadBytes
    ? new Uint8Array(0)
    : Uint8Array.prototype.slice.call(record, recordHeadBytes)
}
