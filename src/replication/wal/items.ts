import { AlthingError } from '../../contracts/errors.ts'
import { decodeConfiguration, encodeConfiguration } from '../../protocols/raft/configuration.ts'
import type { Configuration, Entry, HardState } from '../../protocols/raft/types.ts'
import { decodeEntry, encodedEntryBytes, readUint53, writeEntry, writeUint53 } from '../entry-codec.ts'
import { type GroupId, isGroupId } from '../group-id.ts'
import type { RetiredGroup } from './retired-groups.ts'

/** What a log goes on from where the segments before it are gone. */
export interface GroupStart {
  /** Every entry before this one that is still in the log stands in an earlier segment, or a snapshot stands for it. */
  readonly nextIndex: number
  readonly hardState: HardState
  /** As given when the group was made; absent for a group of format version 1, which did not keep it. */
  readonly initialConfiguration?: Configuration
}

/**
 * What a record's payload consists of: items, one after the other, in the order in which they take effect. Each begins with its type (u8) and its group (u32).
 *
 *     1 hard state  u53 term, u53 vote
 *     2 entry       u32 length, entry (see entry-codec.ts)
 *     3 reset       u53 index, u53 term: the log starts after this snapshot
 *     4 created     u32 length, initial configuration
 *     5 removed     nothing more: its number is not used again
 *     8 retired     u53 term, u53 vote, u53 index, u53 term of the entry there: the copy is gone but for its hard state and where its log ended
 *
 * And in the first record of a segment only, which says all that must be known where the segments before it are gone:
 *
 *     6 group       u53 next index, u53 term, u53 vote, u32 length, initial configuration (none: not known)
 *     7 gone        u32 last: the groups from that number to this one were removed
 *
 * There `retired` says what is kept of copies that are gone, also of a group that has a new copy.
 *
 * In format version 1 there was one group, and no number of it in an item.
 */
export type Item =
  | { readonly type: 'hardState'; readonly group: GroupId; readonly hardState: HardState }
  | { readonly type: 'entry'; readonly group: GroupId; readonly entry: Entry }
  | { readonly type: 'reset'; readonly group: GroupId; readonly index: number; readonly term: number }
  | { readonly type: 'created'; readonly group: GroupId; readonly initialConfiguration: Configuration }
  | { readonly type: 'removed'; readonly group: GroupId }
  | { readonly type: 'retired'; readonly group: GroupId; readonly kept: RetiredGroup }
  | { readonly type: 'group'; readonly group: GroupId; readonly start: GroupStart }
  | { readonly type: 'gone'; readonly group: GroupId; readonly last: GroupId }

export type ItemFormat = 1 | 2

const tags = {
  hardState: 1,
  entry: 2,
  reset: 3,
  created: 4,
  removed: 5,
  group: 6,
  gone: 7,
  retired: 8,
} as const
const groupOfVersion1: GroupId = 1
/** Type and group. */
const headBytes = 5
const pairBytes = 16

export function itemBytes(item: Item): number {
  switch (item.type) {
    case 'entry':
      return headBytes + 4 + encodedEntryBytes(item.entry)
    case 'hardState':
    case 'reset':
      return headBytes + pairBytes
    case 'created':
      return headBytes + 4 + encodeConfiguration(item.initialConfiguration).byteLength
    case 'removed':
      return headBytes
    case 'retired':
      return headBytes + 2 * pairBytes
    case 'group':
      return headBytes + 28 + initialBytes(item.start).byteLength
    case 'gone':
      return headBytes + 4
  }
}

/** Writes the item at `offset` and returns the offset after it. */
export function writeItem(target: Buffer, offset: number, item: Item): number {
  target[offset] = tags[item.type]
  target.writeUInt32LE(item.group, offset + 1)
  const at = offset + headBytes
  switch (item.type) {
    case 'entry':
      target.writeUInt32LE(encodedEntryBytes(item.entry), at)
      return writeEntry(target, at + 4, item.entry)
    case 'hardState':
      return writePair(target, at, item.hardState.term, item.hardState.vote)
    case 'reset':
      return writePair(target, at, item.index, item.term)
    case 'created':
      return writeBytes(target, at, encodeConfiguration(item.initialConfiguration))
    case 'removed':
      return at
    case 'retired': {
      const { hardState, last } = item.kept
      return writePair(target, writePair(target, at, hardState.term, hardState.vote), last.index, last.term)
    }
    case 'group': {
      const { nextIndex, hardState } = item.start
      writeUint53(target, at, nextIndex)
      writePair(target, at + 8, hardState.term, hardState.vote)
      return writeBytes(target, at + 24, initialBytes(item.start))
    }
    case 'gone':
      target.writeUInt32LE(item.last, at)
      return at + 4
  }
}

/** Data of entries are views into `payload`. Throws `corrupt` when the payload is not a sequence of items. */
export function readItems(payload: Buffer, format: ItemFormat): Item[] {
  const reader = new ItemReader(payload)
  const items: Item[] = []
  while (!reader.isAtEnd) items.push(format === 1 ? readItemOfVersion1(reader) : readItem(reader))
  return items
}

function readItem(reader: ItemReader): Item {
  const tag = reader.byte()
  const group = reader.u32()
  if (!isGroupId(group)) throw malformed(`an item names the group ${group}`)
  switch (tag) {
    case tags.created:
      return { type: 'created', group, initialConfiguration: decodeConfiguration(reader.bytes()) }
    case tags.removed:
      return { type: 'removed', group }
    case tags.retired:
      return { type: 'retired', group, kept: readRetired(reader) }
    case tags.group:
      return { type: 'group', group, start: readStart(reader) }
    case tags.gone:
      return { type: 'gone', group, last: reader.u32() }
    default:
      return readLogItem(reader, tag, group)
  }
}

function readItemOfVersion1(reader: ItemReader): Item {
  return readLogItem(reader, reader.byte(), groupOfVersion1)
}

function readLogItem(reader: ItemReader, tag: number, group: GroupId): Item {
  switch (tag) {
    case tags.hardState:
      return { type: 'hardState', group, hardState: { term: reader.u53(), vote: reader.u53() } }
    case tags.entry:
      return { type: 'entry', group, entry: decodeEntry(reader.bytes()) }
    case tags.reset:
      return { type: 'reset', group, index: reader.u53(), term: reader.u53() }
    default:
      throw malformed(`an item has the unknown type ${tag}`)
  }
}

function readStart(reader: ItemReader): GroupStart {
  const nextIndex = reader.u53()
  const hardState = { term: reader.u53(), vote: reader.u53() }
  const initial = reader.bytes()
  if (initial.length === 0) return { nextIndex, hardState }
  return { nextIndex, hardState, initialConfiguration: decodeConfiguration(initial) }
}

function readRetired(reader: ItemReader): RetiredGroup {
  const hardState = { term: reader.u53(), vote: reader.u53() }
  return { hardState, last: { index: reader.u53(), term: reader.u53() } }
}

function initialBytes({ initialConfiguration }: GroupStart): Uint8Array {
  return initialConfiguration === undefined ? new Uint8Array(0) : encodeConfiguration(initialConfiguration)
}

function writePair(target: Buffer, offset: number, first: number, second: number): number {
  writeUint53(target, offset, first)
  writeUint53(target, offset + 8, second)
  return offset + pairBytes
}

function writeBytes(target: Buffer, offset: number, bytes: Uint8Array): number {
  target.writeUInt32LE(bytes.byteLength, offset)
  target.set(bytes, offset + 4)
  return offset + 4 + bytes.byteLength
}

class ItemReader {
  readonly #payload: Buffer
  #offset = 0

  constructor(payload: Buffer) {
    this.#payload = payload
  }

  get isAtEnd(): boolean {
    return this.#offset >= this.#payload.length
  }

  byte(): number {
    return this.#payload[this.#take(1)] as number
  }

  u32(): number {
    return this.#payload.readUInt32LE(this.#take(4))
  }

  u53(): number {
    return readUint53(this.#payload, this.#take(8))
  }

  /** A view: what its length before it says. */
  bytes(): Buffer {
    const length = this.u32()
    const from = this.#take(length)
    return this.#payload.subarray(from, from + length)
  }

  #take(length: number): number {
    const from = this.#offset
    if (from + length > this.#payload.length) throw malformed('an item goes over the end')
    this.#offset = from + length
    return from
  }
}

function malformed(reason: string): AlthingError {
  return new AlthingError('corrupt', `a record of the write-ahead log does not have its form: ${reason}`)
}
