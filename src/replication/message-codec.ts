import { Packr } from 'msgpackr'
import { AlthingError } from '../contracts/errors.ts'
import type { Configuration, Entry, Message, SnapshotMeta } from '../protocols/raft/types.ts'
import { decodeEntry, encodeEntry } from './entry-codec.ts'

/**
 * Raft messages as bytes: a MessagePack array whose first item is the format, the second the message type. Entries are in the form
 * that the write-ahead log holds, encoded once for both.
 */
const format = 1

const packr = new Packr({ useRecords: false, int64AsType: 'number' })

const typeCodes = {
  requestVote: 1,
  requestVoteReply: 2,
  appendEntries: 3,
  appendEntriesReply: 4,
  installSnapshot: 5,
  installSnapshotReply: 6,
  timeoutNow: 7,
  readIndex: 8,
  readIndexReply: 9,
} as const satisfies Record<Message['type'], number>

export function encodeMessage(message: Message): Uint8Array {
  return packr.pack([
    format,
    typeCodes[message.type],
    message.from,
    message.to,
    message.term,
    ...bodyOf(message),
  ])
}

/** Throws `corrupt` on anything that {@link encodeMessage} does not make. */
export function decodeMessage(bytes: Uint8Array): Message {
  try {
    return messageFrom(new FieldReader(packr.unpack(bytes)))
  } catch (cause) {
    throw new AlthingError('corrupt', 'malformed raft message', { cause })
  }
}

function bodyOf(message: Message): unknown[] {
  switch (message.type) {
    case 'requestVote':
      return [message.preVote, message.lastLogIndex, message.lastLogTerm, message.transfer]
    case 'requestVoteReply':
      return [message.preVote, message.granted]
    case 'appendEntries': {
      const { prevLogIndex, prevLogTerm, leaderCommit, round, entries } = message
      return [prevLogIndex, prevLogTerm, leaderCommit, round, entries.map(encodeEntry)]
    }
    case 'appendEntriesReply': {
      const { success, matchIndex, rejectedIndex, conflictTerm, conflictIndex, round } = message
      return [success, matchIndex, rejectedIndex, conflictTerm, conflictIndex, round]
    }
    case 'installSnapshot': {
      const { snapshot, transferId, offset, data, done, round } = message
      return [
        snapshot.index,
        snapshot.term,
        snapshot.configuration.voters,
        transferId,
        offset,
        data,
        done,
        round,
      ]
    }
    case 'installSnapshotReply':
      return [message.transferId, message.offset, message.installed, message.index, message.round]
    case 'timeoutNow':
      return []
    case 'readIndex':
      return [message.id]
    case 'readIndexReply':
      return [message.id, message.index]
  }
}

function messageFrom(fields: FieldReader): Message {
  if (fields.integer() !== format) throw new Error('unknown message format')
  const code = fields.integer()
  const head = { from: fields.integer(), to: fields.integer(), term: fields.integer() }
  const message = bodyFrom(code, head, fields)
  fields.end()
  return message
}

type Head = Pick<Message, 'from' | 'to' | 'term'>

function bodyFrom(code: number, head: Head, fields: FieldReader): Message {
  switch (code) {
    case typeCodes.requestVote:
    case typeCodes.requestVoteReply:
      return voteFrom(code, head, fields)
    case typeCodes.appendEntries:
    case typeCodes.appendEntriesReply:
      return appendFrom(code, head, fields)
    case typeCodes.installSnapshot:
    case typeCodes.installSnapshotReply:
      return installFrom(code, head, fields)
    case typeCodes.timeoutNow:
      return { type: 'timeoutNow', ...head }
    case typeCodes.readIndex:
      return { type: 'readIndex', ...head, id: fields.integer() }
    case typeCodes.readIndexReply:
      return { type: 'readIndexReply', ...head, id: fields.integer(), index: fields.integer() }
    default:
      throw new Error(`unknown message type ${code}`)
  }
}

function voteFrom(code: number, head: Head, fields: FieldReader): Message {
  const preVote = fields.boolean()
  if (code === typeCodes.requestVoteReply)
    return { type: 'requestVoteReply', ...head, preVote, granted: fields.boolean() }
  const lastLogIndex = fields.integer()
  const lastLogTerm = fields.integer()
  return { type: 'requestVote', ...head, preVote, lastLogIndex, lastLogTerm, transfer: fields.boolean() }
}

function appendFrom(code: number, head: Head, fields: FieldReader): Message {
  if (code === typeCodes.appendEntries) {
    return {
      type: 'appendEntries',
      ...head,
      prevLogIndex: fields.integer(),
      prevLogTerm: fields.integer(),
      leaderCommit: fields.integer(),
      round: fields.integer(),
      entries: entriesFrom(fields.array()),
    }
  }
  return {
    type: 'appendEntriesReply',
    ...head,
    success: fields.boolean(),
    matchIndex: fields.integer(),
    rejectedIndex: fields.integer(),
    conflictTerm: fields.integer(),
    conflictIndex: fields.integer(),
    round: fields.integer(),
  }
}

function installFrom(code: number, head: Head, fields: FieldReader): Message {
  if (code === typeCodes.installSnapshot) {
    return {
      type: 'installSnapshot',
      ...head,
      snapshot: snapshotFrom(fields),
      transferId: fields.integer(),
      offset: fields.integer(),
      data: fields.bytes(),
      done: fields.boolean(),
      round: fields.integer(),
    }
  }
  return {
    type: 'installSnapshotReply',
    ...head,
    transferId: fields.integer(),
    offset: fields.integer(),
    installed: fields.boolean(),
    index: fields.integer(),
    round: fields.integer(),
  }
}

function entriesFrom(items: readonly unknown[]): Entry[] {
  const entries = items.map((item) => {
    if (!(item instanceof Uint8Array)) throw new Error('an entry is not bytes')
    return decodeEntry(item)
  })
  for (let i = 1; i < entries.length; i++) {
    if (entries[i]?.index !== (entries[i - 1] as Entry).index + 1)
      throw new Error('entries are not consecutive')
  }
  return entries
}

function snapshotFrom(fields: FieldReader): SnapshotMeta {
  const index = fields.integer()
  const term = fields.integer()
  const configuration: Configuration = { voters: fields.array().map(toInteger) }
  return { index, term, configuration }
}

function toInteger(value: unknown): number {
  if (!Number.isSafeInteger(value) || (value as number) < 0) throw new Error('not a whole number')
  return value as number
}

/** Reads the items of an array in order, each with its type checked. */
class FieldReader {
  readonly #items: readonly unknown[]
  #next = 0

  constructor(items: unknown) {
    if (!Array.isArray(items)) throw new Error('not an array')
    this.#items = items
  }

  integer(): number {
    return toInteger(this.#items[this.#next++])
  }

  boolean(): boolean {
    const value = this.#items[this.#next++]
    if (typeof value !== 'boolean') throw new Error('not a boolean')
    return value
  }

  bytes(): Uint8Array {
    const value = this.#items[this.#next++]
    if (!(value instanceof Uint8Array)) throw new Error('not bytes')
    return value
  }

  array(): readonly unknown[] {
    const value = this.#items[this.#next++]
    if (!Array.isArray(value)) throw new Error('not an array')
    return value
  }

  end(): void {
    if (this.#next !== this.#items.length) throw new Error('items left over')
  }
}
