import { crc32 } from 'node:zlib'

/**
 * A record: what one durable write puts into a segment. Because the next write starts only after this one is durable, a record
 * that was torn by a crash is the last thing in the log, and whatever is followed by something else was once whole.
 *
 *     0   u32  length of the payload, > 0
 *     4   u32  CRC-32 of the stored payload, continued from the record before (over segments too)
 *     8   u8   mask: every stored byte of the payload but the last is XORed with it
 *     9   u8   1: no mask was found (see below); 0 otherwise
 *     10  u16  0
 *     12  u32  CRC-32 of bytes 0..11
 *     16  ...  payload, its last byte 0xff
 *     ...      zeros to the next multiple of 16
 *
 * Three properties tell a torn record from a damaged one. The header lies within one sector, so a crash leaves it whole or
 * zero. No sector inside a whole record is zero, nor one bit away from it: that is what the mask is for. And the
 * last byte is not zero, nor one bit away from it.
 */
export const recordHeaderBytes = 16
export const recordAlignment = 16
export const sectorBytes = 512
/** The last byte of every payload. */
export const recordTerminator = 0xff

export interface RecordHeader {
  readonly length: number
  readonly crc: number
  readonly mask: number
  /** The payload has sectors near every byte value, so a zero sector in it proves nothing. */
  readonly unmaskable: boolean
}

/** Bytes that a record of this payload takes in the segment, padding included. */
export function recordBytes(payloadLength: number): number {
  return alignUp(recordHeaderBytes + payloadLength, recordAlignment)
}

/**
 * Completes a record in place: `record` holds the payload from byte 16 on, terminated; `fileOffset` is where the record will stand. Returns
 * its checksum, from which the next record's is continued.
 */
export function sealRecord(
  record: Buffer,
  payloadLength: number,
  fileOffset: number,
  previousCrc: number,
): number {
  const end = recordHeaderBytes + payloadLength
  record.fill(0, end)
  const mask = chooseMask(record, end, fileOffset)
  if (mask > 0) applyMask(record.subarray(recordHeaderBytes, end), mask)
  const crc = crc32(record.subarray(recordHeaderBytes, end), previousCrc)
  record.writeUInt32LE(payloadLength, 0)
  record.writeUInt32LE(crc, 4)
  record[8] = Math.max(mask, 0)
  record[9] = mask < 0 ? 1 : 0
  record.writeUInt16LE(0, 10)
  record.writeUInt32LE(crc32(record.subarray(0, 12)), 12)
  return crc
}

/** `undefined` when the sixteen bytes are not a record's header. */
export function readRecordHeader(bytes: Buffer, offset: number): RecordHeader | undefined {
  if (offset + recordHeaderBytes > bytes.length) return undefined
  const length = bytes.readUInt32LE(offset)
  if (length === 0) return undefined
  if (crc32(bytes.subarray(offset, offset + 12)) !== bytes.readUInt32LE(offset + 12)) return undefined
  return {
    length,
    crc: bytes.readUInt32LE(offset + 4),
    mask: bytes[offset + 8] as number,
    unmaskable: bytes[offset + 9] === 1,
  }
}

/** A copy of the payload in clear, without its terminator. */
export function payloadOf(stored: Buffer, mask: number): Buffer {
  const payload = Buffer.from(stored)
  if (mask > 0) applyMask(payload, mask)
  return payload.subarray(0, payload.length - 1)
}

export function alignUp(value: number, alignment: number): number {
  return Math.ceil(value / alignment) * alignment
}

const zeros = Buffer.alloc(64 * 1024)

export function isZero(bytes: Buffer, from: number, to: number): boolean {
  for (let at = from; at < to; at += zeros.length) {
    const length = Math.min(zeros.length, to - at)
    if (bytes.compare(zeros, 0, length, at, at + length) !== 0) return false
  }
  return true
}

/** Whether a sector that lies wholly inside the record `from..to` is zero. `bytes` starts at offset 0 of the file. */
export function hasZeroSector(bytes: Buffer, from: number, to: number): boolean {
  for (let at = alignUp(from, sectorBytes); at + sectorBytes <= to; at += sectorBytes) {
    if (isZero(bytes, at, at + sectorBytes)) return true
  }
  return false
}

/** Smallest mask under which no inner sector comes near zero; -1 when there is none. */
function chooseMask(record: Buffer, end: number, fileOffset: number): number {
  let used: Set<number> | undefined
  const first = alignUp(fileOffset + 1, sectorBytes) - fileOffset
  for (let at = first; at + sectorBytes <= end; at += sectorBytes) {
    const value = nearUniformValue(record, at)
    if (value >= 0) used = (used ?? new Set()).add(value)
  }
  if (used === undefined) return 0
  for (let mask = 0; mask < 256; mask++) if (!used.has(mask)) return mask
  return -1
}

/** The byte of which the sector consists, but for one bit at most; -1 when it is not of that kind. */
function nearUniformValue(record: Buffer, at: number): number {
  const first = record[at] as number
  const value = first === record[at + 1] ? first : (record[at + 2] as number)
  let bits = 0
  for (let i = at; i < at + sectorBytes; i++) {
    const difference = (record[i] as number) ^ value
    if (difference === 0) continue
    if ((difference & (difference - 1)) !== 0 || ++bits > 1) return -1
  }
  return value
}

function applyMask(payload: Buffer, mask: number): void {
  for (let i = 0; i < payload.length - 1; i++) payload[i] = (payload[i] as number) ^ mask
}
