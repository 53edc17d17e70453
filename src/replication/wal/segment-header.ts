import { crc32 } from 'node:zlib'
import type { HardState, NodeId } from '../../protocols/raft/types.ts'
import { readUint53, writeUint53 } from '../entry-codec.ts'
import { recordTerminator, sectorBytes } from './record.ts'

/**
 * The first three sectors of a segment. Sector 0, written before the segment gets its name, says whose it is and what came before it:
 *
 *     0   8 bytes  "ALTHWAL" and a zero       40  20 bytes 0
 *     8   u32      format version, 2          60  u53  node id
 *     12  u53      size of the file           68  u8   length of the cluster id
 *     20  u53      sequence of the segment    69  ...  cluster id, UTF-8
 *     28  u53      0
 *     36  u32      CRC of the last record     508 u32  CRC-32 of bytes 0..507
 *                  before it
 *
 * Sector 1 is zero until the segment is finished; the seal then says that a segment follows, so the loss of the newest file is seen:
 *
 *     0 "SEAL"    4 u32 CRC of the last record    8 u53 end of the records    16 u32 CRC-32 of bytes 0..15    20 u8 0xff
 *
 * Sector 2, the mark, says where the file ends that has ever been written to: at and after it are zeros. So a start need not read them.
 *
 *     0 "MARK"    4 u53 offset    12 u32 CRC-32 of bytes 0..11
 *
 * Format version 1 had one group, whose next index stood at 28 and whose hard state (term, vote) at 44, and no mark: its records began in sector 2.
 */
export interface SegmentHeader {
  readonly version: 1 | 2
  readonly sizeBytes: number
  readonly sequence: number
  readonly previousCrc: number
  readonly nodeId: NodeId
  readonly clusterId: string
  /** In version 1. */
  readonly lone?: { readonly nextIndex: number; readonly hardState: HardState }
}

export interface SegmentSeal {
  readonly endOffset: number
  readonly crc: number
}

export const walFormatVersion = 2
/** Where the first record stands. */
export const recordsOffset = 3 * sectorBytes
export const sealOffset = sectorBytes
export const markOffset = 2 * sectorBytes
export const clusterIdBytesMax = 255

const magic = Buffer.from('ALTHWAL\0', 'latin1')
const sealMagic = Buffer.from('SEAL', 'latin1')
const sealBytes = 21
const markMagic = Buffer.from('MARK', 'latin1')
const markBytes = 16

export function recordsOffsetOf({ version }: SegmentHeader): number {
  return version === 1 ? 2 * sectorBytes : recordsOffset
}

export function encodeSegmentHeader(header: Omit<SegmentHeader, 'version' | 'lone'>): Buffer {
  const bytes = Buffer.alloc(sectorBytes)
  magic.copy(bytes)
  bytes.writeUInt32LE(walFormatVersion, 8)
  writeUint53(bytes, 12, header.sizeBytes)
  writeUint53(bytes, 20, header.sequence)
  bytes.writeUInt32LE(header.previousCrc, 36)
  writeUint53(bytes, 60, header.nodeId)
  bytes[68] = bytes.write(header.clusterId, 69, 'utf8')
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 508)), 508)
  return bytes
}

/** A text says what is wrong. */
export function decodeSegmentHeader(bytes: Buffer): SegmentHeader | string {
  if (bytes.length < recordsOffset) return 'the file is shorter than its header'
  if (bytes.compare(magic, 0, 8, 0, 8) !== 0) return 'the file does not start with "ALTHWAL"'
  if (crc32(bytes.subarray(0, 508)) !== bytes.readUInt32LE(508)) return 'the header fails its checksum'
  const version = bytes.readUInt32LE(8)
  if (version !== 1 && version !== walFormatVersion)
    return `format version ${version} is neither 1 nor ${walFormatVersion}`
  return {
    version,
    sizeBytes: readUint53(bytes, 12),
    sequence: readUint53(bytes, 20),
    previousCrc: bytes.readUInt32LE(36),
    nodeId: readUint53(bytes, 60),
    clusterId: bytes.toString('utf8', 69, 69 + (bytes[68] as number)),
    ...(version === 1 ? { lone: decodeLone(bytes) } : {}),
  }
}

function decodeLone(bytes: Buffer): NonNullable<SegmentHeader['lone']> {
  const hardState = { term: readUint53(bytes, 44), vote: readUint53(bytes, 52) }
  return { nextIndex: readUint53(bytes, 28), hardState }
}

export function encodeSeal(seal: SegmentSeal): Buffer {
  const bytes = Buffer.alloc(sealBytes)
  sealMagic.copy(bytes)
  bytes.writeUInt32LE(seal.crc, 4)
  writeUint53(bytes, 8, seal.endOffset)
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 16)), 16)
  bytes[20] = recordTerminator
  return bytes
}

/** `'torn'`: its writing had begun (so the next segment exists) but was cut short by a crash. */
export function decodeSeal(segment: Buffer): SegmentSeal | 'none' | 'torn' | 'damaged' {
  const bytes = segment.subarray(sealOffset, sealOffset + sectorBytes)
  if (bytes.every((byte) => byte === 0)) return 'none'
  if (bytes[20] === 0) return 'torn'
  const whole =
    bytes.compare(sealMagic, 0, 4, 0, 4) === 0 &&
    crc32(bytes.subarray(0, 16)) === bytes.readUInt32LE(16) &&
    bytes[20] === recordTerminator &&
    bytes.subarray(sealBytes).every((byte) => byte === 0)
  return whole ? { crc: bytes.readUInt32LE(4), endOffset: readUint53(bytes, 8) } : 'damaged'
}

export function encodeMark(offset: number): Buffer {
  const bytes = Buffer.alloc(markBytes)
  markMagic.copy(bytes)
  writeUint53(bytes, 4, offset)
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 12)), 12)
  return bytes
}

/** `undefined` when it cannot be read (torn, or damaged): then all of the file must be. Nothing that it says is missed for that. */
export function decodeMark(segment: Buffer): number | undefined {
  const bytes = segment.subarray(markOffset, markOffset + markBytes)
  if (bytes.length < markBytes || bytes.compare(markMagic, 0, 4, 0, 4) !== 0) return undefined
  if (crc32(bytes.subarray(0, 12)) !== bytes.readUInt32LE(12)) return undefined
  return readUint53(bytes, 4)
}
