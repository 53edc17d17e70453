import { Packr } from 'msgpackr'
import { AlthingError } from '../contracts/errors.ts'
import { decodeConfiguration, encodeConfiguration } from '../protocols/raft/configuration.ts'
import type { Configuration, Entry, Message, NodeId, SnapshotMeta } from '../protocols/raft/types.ts'
import { decodeEntry, encodeEntry, encodedEntryBytes } from './entry-codec.ts'
import { type GroupId, isGroupId } from './group-id.ts'

/**
 * Raft messages as bytes: frames between two nodes, each a MessagePack array that begins with the version of the form.
 *
 *     version 1   [1, type, from, to, term, ...body]                       one message of group 1
 *     version 2   [2, from, to, [[group, type, term, ...body], ...]]       messages of any groups, in the order of their sending
 *
 * Entries are in the form that the write-ahead log holds. In version 1 a configuration is the list of its voters; in version 2 it is the data of
 * an entry of kind `configuration`.
 */
export const peerVersion = 3
/** The newest form of raft's messages; from version 3 on a node understands gossip besides (`gossip-frame.ts`). */
const raftFrameVersion = 2
/** The oldest that is still spoken: by the nodes of the first release, which know one group and no change of members. */
export const peerVersionMin = 1

/** The only group that exists for a peer of version 1. */
const groupOfVersion1: GroupId = 1

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

export interface GroupMessage {
  readonly group: GroupId
  readonly message: Message
}

export interface PeerFrame {
  readonly from: NodeId
  readonly to: NodeId
  readonly messages: readonly GroupMessage[]
}

/** All messages go from one node to one other. */
export function encodeFrame({ from, to, messages }: PeerFrame): Uint8Array {
  const items = messages.map(({ group, message }) => [
    group,
    typeCodes[message.type],
    message.term,
    ...bodyOf(message, encodeConfiguration),
  ])
  return packr.pack([raftFrameVersion, from, to, items])
}

/** `undefined` when the message cannot be said in version 1: its receiver must do without it. */
export function encodeFrameVersion1({ group, message }: GroupMessage): Uint8Array | undefined {
  if (group !== groupOfVersion1) return undefined
  if (message.type === 'installSnapshot' && !isVotersOnly(message.snapshot.configuration)) return undefined
  const body = bodyOf(message, ({ voters }) => voters)
  return packr.pack([1, typeCodes[message.type], message.from, message.to, message.term, ...body])
}

/** Of either version. Throws `corrupt` on anything that the two functions above do not make. */
export function decodeFrame(bytes: Uint8Array): PeerFrame {
  try {
    const fields = new FieldReader(packr.unpack(bytes))
    const version = fields.integer()
    if (version === 1) return frameOfVersion1(fields)
    if (version === 2) return frameOfVersion2(fields)
    throw new Error('unknown version')
  } catch (cause) {
    throw new AlthingError('corrupt', 'malformed frame of raft messages', { cause })
  }
}

/** About how many bytes the message takes in a frame; never fewer than it does. */
export function messageBytes(message: Message): number {
  switch (message.type) {
    case 'appendEntries':
      return message.entries.reduce((sum, entry) => sum + encodedEntryBytes(entry) + 5, messageHeadBytesMax)
    case 'installSnapshot':
      return (
        messageHeadBytesMax + message.data.byteLength + configurationBytes(message.snapshot.configuration)
      )
    default:
      return messageHeadBytesMax
  }
}

/** A dozen numbers of nine bytes, and what announces arrays and bytes. */
const messageHeadBytesMax = 128

function configurationBytes(configuration: Configuration): number {
  return encodeConfiguration(configuration).byteLength
}

/** An older node may be told of the voters alone only when there are no others. */
function isVotersOnly({ outgoingVoters = [], learners = [] }: Configuration): boolean {
  return outgoingVoters.length === 0 && learners.length === 0
}

function frameOfVersion1(fields: FieldReader): PeerFrame {
  const code = fields.integer()
  const head = { from: fields.integer(), to: fields.integer(), term: fields.integer() }
  const message = bodyFrom(code, head, fields, (voters) => ({ voters: voters.array().map(toInteger) }))
  fields.end()
  return { from: head.from, to: head.to, messages: [{ group: groupOfVersion1, message }] }
}

function frameOfVersion2(fields: FieldReader): PeerFrame {
  const from = fields.integer()
  const to = fields.integer()
  const messages = fields.array().map((item) => groupMessageFrom(new FieldReader(item), from, to))
  fields.end()
  return { from, to, messages }
}

function groupMessageFrom(fields: FieldReader, from: NodeId, to: NodeId): GroupMessage {
  const group = fields.integer()
  if (!isGroupId(group)) throw new Error('not the number of a group')
  const code = fields.integer()
  const head = { from, to, term: fields.integer() }
  const message = bodyFrom(code, head, fields, (configuration) => decodeConfiguration(configuration.bytes()))
  fields.end()
  return { group, message }
}

function bodyOf(message: Message, encode: (configuration: Configuration) => unknown): unknown[] {
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
        encode(snapshot.configuration),
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

type Head = Pick<Message, 'from' | 'to' | 'term'>
type ReadConfiguration = (fields: FieldReader) => Configuration

function bodyFrom(code: number, head: Head, fields: FieldReader, read: ReadConfiguration): Message {
  switch (code) {
    case typeCodes.requestVote:
    case typeCodes.requestVoteReply:
      return voteFrom(code, head, fields)
    case typeCodes.appendEntries:
    case typeCodes.appendEntriesReply:
      return appendFrom(code, head, fields)
    case typeCodes.installSnapshot:
    case typeCodes.installSnapshotReply:
      return installFrom(code, head, fields, read)
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

function installFrom(code: number, head: Head, fields: FieldReader, read: ReadConfiguration): Message {
  if (code === typeCodes.installSnapshot) {
    return {
      type: 'installSnapshot',
      ...head,
      snapshot: snapshotFrom(fields, read),
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

function snapshotFrom(fields: FieldReader, read: ReadConfiguration): SnapshotMeta {
  const index = fields.integer()
  const term = fields.integer()
  return { index, term, configuration: read(fields) }
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
