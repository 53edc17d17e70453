import type { LeaseId } from '../../contracts/store.ts'
import { BinaryReader, BinaryWriter } from '../../models/store/binary.ts'
import { AlthingError } from '../../contracts/errors.ts'

/**
 * The form of a message of the log:
 *
 *     magic (2 bytes) | format (1 byte) | writer (8 bytes) | number | items
 *
 * Every process that opens the store reads all that others have written: a change of the form, or of the form of a command in it, takes a new format, which older
 * programs refuse to pass over.
 */
const magic = [0xa7, 0x4c] as const
const format = 1
export const writerBytes = 8
/** What a message has beside its items, and an item beside its content; generously. */
export const messageOverheadBytes = 64
export const itemOverheadBytes = 16

const itemKinds = ['command', 'renew', 'expire', 'tick', 'snapshotTaken'] as const

export type LogItem =
  /** A command of the store model, as its codec writes it. */
  | { readonly kind: 'command'; readonly data: Uint8Array }
  /** Starts the time of these leases anew. */
  | { readonly kind: 'renew'; readonly leases: readonly LeaseId[] }
  /** The writer, which had read the log up to `through`, has seen the whole time of these leases pass since their last renewal. */
  | { readonly kind: 'expire'; readonly through: number; readonly leases: readonly LeaseId[] }
  /** Only moves the log on: while there are leases their time is to be seen to pass. */
  | { readonly kind: 'tick' }
  /** There is a snapshot of the state after `sequence`. */
  | { readonly kind: 'snapshotTaken'; readonly sequence: number }

export interface WriterMessage {
  /** Hexadecimal: which process, this time that it opened the store. */
  readonly writer: string
  /** Which message of the writer; a repeat has the same. */
  readonly number: number
  readonly items: readonly LogItem[]
}

export function encodeMessage({ writer, number, items }: WriterMessage): Uint8Array {
  const output = new BinaryWriter(messageOverheadBytes + bytesOf(items))
  for (const byte of magic) output.byte(byte)
  output.byte(format)
  output.raw(Buffer.from(writer, 'hex'))
  output.uint(number)
  output.uint(items.length)
  for (const item of items) writeItem(output, item)
  return output.finish()
}

/** `undefined` for bytes that are no message of ours. Throws `incompatible-peer` for a later format, and `corrupt` for what is not well formed. */
export function decodeMessage(data: Uint8Array): WriterMessage | undefined {
  if (data[0] !== magic[0] || data[1] !== magic[1]) return undefined
  if (data[2] !== format) {
    throw new AlthingError(
      'incompatible-peer',
      `the log has a message of format ${String(data[2])}, but this program reads format ${format}: a later version of the program writes to this store`,
      { outcome: 'none' },
    )
  }
  const input = new BinaryReader(data.subarray(3), 'a message of the log')
  let writer = ''
  for (let i = 0; i < writerBytes; i++) writer += input.byte().toString(16).padStart(2, '0')
  const number = input.uint()
  const count = input.count()
  const items: LogItem[] = []
  for (let i = 0; i < count; i++) items.push(readItem(input))
  input.end()
  return { writer, number, items }
}

export function bytesOfItem(item: LogItem): number {
  if (item.kind === 'command') return itemOverheadBytes + item.data.byteLength
  return itemOverheadBytes + ('leases' in item ? item.leases.length * 8 : 0)
}

function bytesOf(items: readonly LogItem[]): number {
  let bytes = 0
  for (const item of items) bytes += bytesOfItem(item)
  return bytes
}

function writeItem(output: BinaryWriter, item: LogItem): void {
  output.byte(itemKinds.indexOf(item.kind))
  switch (item.kind) {
    case 'command':
      return output.bytes(item.data)
    case 'renew':
      return writeLeases(output, item.leases)
    case 'expire':
      output.uint(item.through)
      return writeLeases(output, item.leases)
    case 'tick':
      return
    case 'snapshotTaken':
      return output.uint(item.sequence)
  }
}

function readItem(input: BinaryReader): LogItem {
  const number = input.byte()
  const kind = itemKinds[number]
  switch (kind) {
    case 'command':
      return { kind, data: input.bytes() }
    case 'renew':
      return { kind, leases: readLeases(input) }
    case 'expire':
      return { kind, through: input.uint(), leases: readLeases(input) }
    case 'tick':
      return { kind }
    case 'snapshotTaken':
      return { kind, sequence: input.uint() }
    default:
      throw input.corrupt(`has an unknown kind of item ${number}`)
  }
}

function writeLeases(output: BinaryWriter, leases: readonly LeaseId[]): void {
  output.uint(leases.length)
  for (const lease of leases) output.uint(lease)
}

function readLeases(input: BinaryReader): LeaseId[] {
  const count = input.count()
  const leases: LeaseId[] = []
  for (let i = 0; i < count; i++) leases.push(input.uint())
  return leases
}
