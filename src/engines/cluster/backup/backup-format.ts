import { crc32 } from 'node:zlib'
import { bytesFromText } from '../../../base/bytes.ts'

/**
 * A backup: a stream of bytes, in a file or not, that states what it holds and can be checked by itself.
 *
 *     0   8 bytes  "ALTHBKUP"
 *     8   u32      format version, 1
 *     12  blocks
 *
 *     block   u32 length of the data | u8 kind | u32 CRC-32 of number, length, kind and data, seeded with that of the block before | data
 *     blocks  manifest | (group | data ... | groupEnd) ... | end
 *
 * Numbers are little endian. The data of `manifest`, `group`, `groupEnd` and `end` is JSON; `data` blocks are the group's snapshot, cut anywhere. As each
 * checksum begins with the one before, a block that is missing, doubled or of another backup fails. `groupEnd` and `end` carry SHA-256 digests besides: of the
 * group's data, and of every byte of the backup before the `end` block.
 */
export const backupFormatVersion = 1
export const backupHeadBytes = 12
export const blockHeadBytes = 9
/** Past it a block is damaged for certain. Data blocks have 256 KiB. */
export const blockBytesMax = 4 * 1024 * 1024

export const blockKinds = { manifest: 1, group: 2, data: 3, groupEnd: 4, end: 5 } as const
export type BlockKind = (typeof blockKinds)[keyof typeof blockKinds]

export const backupMagic = 'ALTHBKUP'

/** Where a backup comes from. */
export interface BackupManifest {
  readonly clusterId: string
  /** The member whose copy was read. */
  readonly node: number
  /** Of the program that wrote it. */
  readonly version: string
  /** Milliseconds since 1970, by the clock of whoever asked for it. */
  readonly takenAtMs: number
  /** Users, roles and tokens were left out. */
  readonly withoutAccess: boolean
  /** Read without asking the leader: it may lack the last acknowledged writes. */
  readonly serializable: boolean
}

/** One group's part: its store at one moment. */
export interface BackupGroup {
  readonly group: number
  /** `default` for the cluster's own. */
  readonly name: string
  readonly revision: number
  readonly compactRevision: number
  /** The last entry of the group's log that the state contains. */
  readonly index: number
  readonly keys: number
  readonly leases: number
}

export interface BackupGroupEnd {
  /** Of the group's data. */
  readonly bytes: number
  readonly sha256: string
}

export interface BackupEnd {
  readonly groups: number
  readonly bytes: number
  /** Of everything before the block that holds this. */
  readonly sha256: string
}

export function backupHead(): Uint8Array {
  const head = Buffer.alloc(backupHeadBytes)
  head.write(backupMagic, 'latin1')
  head.writeUInt32LE(backupFormatVersion, 8)
  return head
}

export function blockChecksum(number: number, kind: number, data: Uint8Array, before: number): number {
  const place = Buffer.allocUnsafe(9)
  place.writeUInt32LE(number >>> 0, 0)
  place.writeUInt32LE(data.byteLength, 4)
  place.writeUInt8(kind, 8)
  return crc32(data, crc32(place, before))
}

export function blockHead(kind: BlockKind, data: Uint8Array, checksum: number): Uint8Array {
  const head = Buffer.allocUnsafe(blockHeadBytes)
  head.writeUInt32LE(data.byteLength, 0)
  head.writeUInt8(kind, 4)
  head.writeUInt32LE(checksum, 5)
  return head
}

export function jsonBytes(value: object): Uint8Array {
  return bytesFromText(JSON.stringify(value))
}
