import { assert } from '../base/assert.ts'
import { AlthingError } from '../contracts/errors.ts'
import type { Entry, EntryKind } from '../protocols/raft/types.ts'

/**
 * The bytes of a log entry, the same in the write-ahead log and on the wire (little-endian):
 *
 *     0   u8   kind: 1 command, 2 empty, 3 configuration
 *     1   u53  index (low u32, then high u32)
 *     9   u53  term
 *     17  ...  data, to the end
 *
 * Length and checksum belong to the frame around it.
 */
export const entryHeaderBytes = 17

const kindNumbers: Readonly<Record<EntryKind, number>> = { command: 1, empty: 2, configuration: 3 }
const kinds: readonly (EntryKind | undefined)[] = [undefined, 'command', 'empty', 'configuration']
const twoTo32 = 2 ** 32
const highMax = 2 ** 21 - 1

export function encodedEntryBytes(entry: Entry): number {
  return entryHeaderBytes + entry.data.byteLength
}

/** Writes the entry at `offset` and returns the offset after it: a batch goes into one buffer without a copy in between. */
export function writeEntry(target: Buffer, offset: number, entry: Entry): number {
  target[offset] = kindNumbers[entry.kind]
  writeUint53(target, offset + 1, entry.index)
  writeUint53(target, offset + 9, entry.term)
  target.set(entry.data, offset + entryHeaderBytes)
  return offset + entryHeaderBytes + entry.data.byteLength
}

export function encodeEntry(entry: Entry): Uint8Array {
  const bytes = Buffer.allocUnsafe(encodedEntryBytes(entry))
  writeEntry(bytes, 0, entry)
  return bytes
}

/** The inverse of {@link encodeEntry}. `data` is a view into `bytes`, not a copy. Throws `corrupt`. */
export function decodeEntry(bytes: Uint8Array): Entry {
  if (bytes.byteLength < entryHeaderBytes) throw malformed('it is shorter than its header')
  const kind = kinds[bytes[0] as number]
  if (kind === undefined) throw malformed(`kind ${bytes[0]} is unknown`)
  const buffer = asBuffer(bytes)
  const index = readUint53(buffer, 1)
  if (index === 0) throw malformed('index 0 does not exist')
  return { index, term: readUint53(buffer, 9), kind, data: bytes.subarray(entryHeaderBytes) }
}

/** An integer 0..2^53-1 in eight bytes. */
export function writeUint53(target: Buffer, offset: number, value: number): void {
  assert(Number.isSafeInteger(value) && value >= 0, 'not an integer of 0..2^53-1', { value })
  target.writeUInt32LE(value % twoTo32, offset)
  target.writeUInt32LE(Math.floor(value / twoTo32), offset + 4)
}

/** Throws `corrupt` when the eight bytes hold more than 2^53-1. */
export function readUint53(source: Buffer, offset: number): number {
  const high = source.readUInt32LE(offset + 4)
  if (high > highMax) throw malformed('a number is over 2^53-1')
  return high * twoTo32 + source.readUInt32LE(offset)
}

/** The same memory, with the methods of `Buffer`. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

function malformed(reason: string): AlthingError {
  return new AlthingError('corrupt', `the bytes of a log entry do not have their form: ${reason}`)
}
