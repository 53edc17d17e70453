import { crc32 } from 'node:zlib'
import type { HardState, NodeId } from '../../protocols/raft/types.ts'
import { readUint53, writeUint53 } from '../entry-codec.ts'
import { recordTerminator, sectorBytes } from './record.ts'

/**
 * The first two sectors of a segment. Sector 0, written before the segment gets its name, says whose it is and what came before it:
 *
 *     0   8 bytes  "ALTHWAL" and a zero       44  u53  term     (the hard state when the segment began,
 *     8   u32      format version, 1          52  u53  vote      so that older segments can be removed)
 *     12  u53      size of the file           60  u53  node id
 *     20  u53      sequence of the segment    68  u8   length of the cluster id
 *     28  u53      highest index so far, + 1  69  ...  cluster id, UTF-8
 *     36  u32      CRC of the last record before it
 *     40  u32      0                          508 u32  CRC-32 of bytes 0..507
 *
 * Sector 1 is zero until the segment is finished; the seal then says that a segment follows, so the loss of the newest file is seen:
 *
 *     0 "SEAL"    4 u32 CRC of the last record    8 u53 end of the records    16 u32 CRC-32 of bytes 0..15    20 u8 0xff
 */
export interface SegmentHeader {
  readonly sizeBytes: number
  readonly sequence: number
  readonly nextIndex: number
  readonly previousCrc: number
  readonly hardState: HardState
  readonly nodeId: NodeId
  readonly clusterId: string
}

export interface SegmentSeal {
  readonly endOffset: number
  readonly crc: number
}

export const walFormatVersion = 1
/** Where the first record stands. */
export const recordsOffset = 2 * sectorBytes
export const sealOffset = sectorBytes
export const clusterIdBytesMax = 255

const magic = Buffer.from('ALTHWAL\0', 'latin1')
const sealMagic = Buffer.from('SEAL', 'latin1')
const sealBytes = 21

export function encodeSegmentHeader(header: SegmentHeader): Buffer {
  const bytes = Buffer.alloc(sectorBytes)
  magic.copy(bytes)
  bytes.writeUInt32LE(walFormatVersion, 8)
  writeUint53(bytes, 12, header.sizeBytes)
  writeUint53(bytes, 20, header.sequence)
  writeUint53(bytes, 28, header.nextIndex)
  bytes.writeUInt32LE(header.previousCrc, 36)
  writeUint53(bytes, 44, header.hardState.term)
  writeUint53(bytes, 52, header.hardState.vote)
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
  if (version !== walFormatVersion) return `format version ${version} is not ${walFormatVersion}`
  return {
    sizeBytes: readUint53(bytes, 12),
    sequence: readUint53(bytes, 20),
    nextIndex: readUint53(bytes, 28),
    previousCrc: bytes.readUInt32LE(36),
    hardState: { term: readUint53(bytes, 44), vote: readUint53(bytes, 52) },
    nodeId: readUint53(bytes, 60),
    clusterId: bytes.toString('utf8', 69, 69 + (bytes[68] as number)),
  }
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
