import { crc32 } from 'node:zlib'
import { bytesFromText, textFromBytes } from '../../base/bytes.ts'
import {
  configurationProblem,
  decodeConfiguration,
  encodeConfiguration,
} from '../../protocols/raft/configuration.ts'
import type { Configuration, SnapshotMeta } from '../../protocols/raft/types.ts'

/**
 * A snapshot file. It names no node: the same bytes go to a follower.
 *
 *     0   8 bytes  "ALTHSNAP"
 *     8   u32      format version, 1 or 2
 *     12  u32      bytes of data in a block
 *     16  u32      length of the meta
 *     20  u32      CRC-32 of bytes 0..19 and the meta
 *     24  ...      meta: JSON { index, term, configuration }
 *
 * and then the blocks, all full but the last:
 *
 *     u32 length of the data, bit 31 set in the last block    u32 CRC-32 of the data, seeded with header, number and length
 *     data
 *
 * Blocks stand at known offsets, so any part can be read and checked without the rest.
 *
 * Version 2 says that the configuration has learners or is joint: a node of the first release, which reads the voters alone, must not take it. What else a
 * configuration holds (addresses) such a node passes over, so a file without those two stays of version 1 and can be sent to it.
 */
export const snapshotFormatVersionMax = 2
export const snapshotPreludeBytes = 24
export const blockHeaderBytes = 8
export const blockBytesDefault = 128 * 1024
const blockBytesMax = 16 * 1024 * 1024
const metaBytesMax = 1024 * 1024
const lastFlag = 0x8000_0000

const magic = Buffer.from('ALTHSNAP', 'latin1')

export interface SnapshotLayout {
  readonly meta: SnapshotMeta
  readonly blockBytes: number
  /** Where the first block stands. */
  readonly blocksOffset: number
  readonly headerCrc: number
}

export function encodeSnapshotHeader(meta: SnapshotMeta, blockBytes: number): Buffer {
  const { index, term } = meta
  const configuration = JSON.parse(textFromBytes(encodeConfiguration(meta.configuration))) as Configuration
  const json = bytesFromText(JSON.stringify({ index, term, configuration }))
  const bytes = Buffer.alloc(snapshotPreludeBytes + json.byteLength)
  magic.copy(bytes)
  bytes.writeUInt32LE(versionFor(configuration), 8)
  bytes.writeUInt32LE(blockBytes, 12)
  bytes.writeUInt32LE(json.byteLength, 16)
  bytes.set(json, snapshotPreludeBytes)
  bytes.writeUInt32LE(headerCrc(bytes), 20)
  return bytes
}

/** Bytes of the whole header, from its first 24; a text says what is wrong. */
export function snapshotHeaderBytes(prelude: Buffer): number | string {
  if (prelude.length < snapshotPreludeBytes) return 'the file is shorter than its header'
  if (prelude.compare(magic, 0, 8, 0, 8) !== 0) return 'the file does not start with "ALTHSNAP"'
  const version = prelude.readUInt32LE(8)
  if (version < 1 || version > snapshotFormatVersionMax)
    return `format version ${version} is not one of 1 to ${snapshotFormatVersionMax}`
  const metaBytes = prelude.readUInt32LE(16)
  return metaBytes > metaBytesMax
    ? `the meta is said to have ${metaBytes} bytes`
    : snapshotPreludeBytes + metaBytes
}

export function decodeSnapshotHeader(bytes: Buffer): SnapshotLayout | string {
  const length = snapshotHeaderBytes(bytes)
  if (typeof length === 'string') return length
  if (bytes.length < length) return 'the file is shorter than its header'
  const header = bytes.subarray(0, length)
  const crc = header.readUInt32LE(20)
  if (headerCrc(header) !== crc) return 'the header fails its checksum'
  const blockBytes = header.readUInt32LE(12)
  if (blockBytes < 1 || blockBytes > blockBytesMax) return `blocks of ${blockBytes} bytes are not allowed`
  const meta = decodeMeta(header.subarray(snapshotPreludeBytes))
  if (typeof meta === 'string') return meta
  return { meta, blockBytes, blocksOffset: length, headerCrc: crc }
}

/** A file may come from a peer: a right checksum says only that it came as it was sent. */
function decodeMeta(bytes: Uint8Array): SnapshotMeta | string {
  try {
    const { index, term, configuration } = JSON.parse(textFromBytes(bytes)) as Record<string, unknown>
    if (!isWhole(index) || !isWhole(term)) return 'the meta has no index or term'
    const problem = configurationProblem(configuration)
    if (problem !== undefined) return `the meta has a configuration that is not one: ${problem}`
    const trimmed = decodeConfiguration(bytesFromText(JSON.stringify(configuration)))
    return { index, term, configuration: trimmed }
  } catch {
    return 'the meta is not JSON'
  }
}

function isWhole(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

function versionFor({ outgoingVoters = [], learners = [] }: Configuration): number {
  return outgoingVoters.length > 0 || learners.length > 0 ? 2 : 1
}

export function encodeBlockHeader(
  layout: SnapshotLayout,
  number: number,
  data: Uint8Array,
  isLast: boolean,
): Buffer {
  const bytes = Buffer.allocUnsafe(blockHeaderBytes)
  const word = (data.byteLength | (isLast ? lastFlag : 0)) >>> 0
  bytes.writeUInt32LE(word, 0)
  bytes.writeUInt32LE(blockCrc(layout, number, word, data), 4)
  return bytes
}

export interface Block {
  readonly data: Buffer
  readonly isLast: boolean
}

/** `bytes` starts at the block and goes at least to its end. A text says what is wrong. */
export function decodeBlock(layout: SnapshotLayout, number: number, bytes: Buffer): Block | string {
  if (bytes.length < blockHeaderBytes) return 'the file ends inside a block'
  const word = bytes.readUInt32LE(0)
  const isLast = word >= lastFlag
  const length = isLast ? word - lastFlag : word
  if (length > layout.blockBytes || (!isLast && length < layout.blockBytes)) {
    return 'a block has a length that is not allowed'
  }
  if (bytes.length < blockHeaderBytes + length) return 'the file ends inside a block'
  const data = bytes.subarray(blockHeaderBytes, blockHeaderBytes + length)
  if (blockCrc(layout, number, word, data) !== bytes.readUInt32LE(4)) return 'a block fails its checksum'
  return { data, isLast }
}

export function blockOffset(layout: SnapshotLayout, number: number): number {
  return layout.blocksOffset + number * (blockHeaderBytes + layout.blockBytes)
}

export function sameMeta(a: SnapshotMeta, b: SnapshotMeta): boolean {
  return encodeSnapshotHeader(a, 1).equals(encodeSnapshotHeader(b, 1))
}

function headerCrc(bytes: Buffer): number {
  return crc32(bytes.subarray(snapshotPreludeBytes), crc32(bytes.subarray(0, 20)))
}

/** The seed binds a block to its snapshot and its place: one of another file, or at another position, fails. */
function blockCrc(layout: SnapshotLayout, number: number, word: number, data: Uint8Array): number {
  const place = Buffer.allocUnsafe(8)
  place.writeUInt32LE(number >>> 0, 0)
  place.writeUInt32LE(word, 4)
  return crc32(data, crc32(place, layout.headerCrc))
}
