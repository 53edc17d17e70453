import type { KeyValue, RangeRequest, WatchBatch } from '../../../src/contracts/store.ts'
import type { StoreCommand, StoreReply } from '../../../src/models/store/types.ts'
import type { Entry, Message } from '../../../src/protocols/raft/types.ts'
import { encodeCommand } from '../../../src/models/store/codec.ts'

const bytes = (text: string): Uint8Array => Buffer.from(text)
const stamp = { session: 9, sequence: 300, acknowledged: 299 } as const

export const sampleCommands: readonly StoreCommand[] = [
  { type: 'openSession', ownerKey: 'owner-ü' },
  { type: 'expireLeases', leases: [1, 2, 2 ** 40] },
  { ...stamp, type: 'grantLease', ttlMs: 60_000 },
  { ...stamp, type: 'revokeLease', lease: 77 },
  { ...stamp, type: 'compact', revision: 12 },
  { ...stamp, type: 'closeSession' },
  {
    ...stamp,
    type: 'txn',
    compare: [
      { target: 'version', key: 'a', op: '=', value: 0 },
      { target: 'value', key: 'b', op: '!=', value: bytes('x') },
    ],
    then: [
      { op: 'put', key: 'a', value: bytes('one'), previous: true },
      { op: 'put', key: 'b', value: bytes(''), lease: 'keep' },
      { op: 'put', key: 'c', value: bytes('two'), lease: 4 },
      { op: 'delete', key: 'd', end: 'e', previous: true },
    ],
    else: [
      { op: 'range', key: 'a', end: null, limit: 3, order: 'descending', keysOnly: true },
      { op: 'range', key: 'a', revision: 5, countOnly: true },
    ],
  },
]

export const sampleEntries: readonly Entry[] = [
  { index: 1, term: 1, kind: 'empty', data: new Uint8Array(0) },
  ...sampleCommands.map((command, i): Entry => {
    return { index: i + 2, term: 1 + Math.floor(i / 3), kind: 'command', data: encodeCommand(command) }
  }),
  { index: 2 ** 40, term: 2 ** 33, kind: 'configuration', data: bytes('{"voters":[1,2,3]}') },
]

const head = { from: 1, to: 2, term: 7 }
const snapshot = { index: 40, term: 6, configuration: { voters: [1, 2, 3] } }

export const sampleMessages: readonly Message[] = [
  { ...head, type: 'requestVote', preVote: true, lastLogIndex: 9, lastLogTerm: 6, transfer: false },
  { ...head, type: 'requestVoteReply', preVote: false, granted: true },
  {
    ...head,
    type: 'appendEntries',
    prevLogIndex: 0,
    prevLogTerm: 0,
    leaderCommit: 3,
    round: 12,
    entries: sampleEntries.slice(0, 5),
  },
  {
    ...head,
    type: 'appendEntries',
    prevLogIndex: 8,
    prevLogTerm: 6,
    leaderCommit: 8,
    round: 13,
    entries: [],
  },
  {
    ...head,
    type: 'appendEntriesReply',
    success: false,
    matchIndex: 0,
    rejectedIndex: 8,
    conflictTerm: 5,
    conflictIndex: 4,
    round: 13,
  },
  {
    ...head,
    type: 'installSnapshot',
    snapshot,
    transferId: 3,
    offset: 1_024,
    data: Buffer.alloc(64, 5),
    done: false,
    round: 14,
  },
  {
    ...head,
    type: 'installSnapshotReply',
    transferId: 3,
    offset: 1_088,
    installed: false,
    index: 40,
    round: 14,
  },
  { ...head, type: 'timeoutNow' },
  { ...head, type: 'readIndex', id: 99 },
  { ...head, type: 'readIndexReply', id: 99, index: 8 },
]

export const sampleRanges: readonly RangeRequest[] = [
  { key: 'a' },
  { key: 'a', end: 'b', limit: 10, order: 'descending' },
  { key: '', end: null, keysOnly: true, revision: 12 },
  { key: '\u00ff\u0000', end: null, countOnly: true },
]

export const sampleKeyValues: readonly KeyValue[] = [
  { key: 'a', value: bytes('one'), createRevision: 2, modRevision: 3, version: 2, lease: 0 },
  { key: 'b\u00ff', value: bytes(''), createRevision: 3, modRevision: 3, version: 1, lease: 9 },
]

const [first, second] = sampleKeyValues as [KeyValue, KeyValue]

export const sampleReplies: readonly StoreReply[] = [
  {
    ok: true,
    type: 'txn',
    reply: {
      revision: 3,
      succeeded: true,
      replies: [
        { op: 'range', kvs: sampleKeyValues, count: 2, more: false },
        { op: 'put', previous: first },
        { op: 'put' },
        { op: 'delete', deleted: 1, previous: [second] },
      ],
    },
  },
  { ok: true, type: 'grantLease', lease: 5, ttlMs: 1_000 },
  { ok: true, type: 'revokeLease', revision: 8 },
  { ok: true, type: 'expireLeases', revision: 9, expired: [1, 2] },
  { ok: true, type: 'compact', compactRevision: 7 },
  { ok: true, type: 'openSession', session: 3 },
  { ok: true, type: 'closeSession' },
  {
    ok: false,
    error: { code: 'lease-not-found', message: 'no lease 5', retryable: false, outcome: 'none' },
  },
]

export const sampleBatches: readonly WatchBatch[] = [
  { kind: 'created', revision: 4 },
  { kind: 'progress', revision: 5 },
  {
    kind: 'events',
    revision: 7,
    events: [
      { type: 'put', kv: first, previous: second },
      { type: 'put', kv: second },
      { type: 'delete', key: 'c', modRevision: 7, previous: first },
      { type: 'delete', key: 'd', modRevision: 7 },
    ],
  },
  { kind: 'resync', fromRevision: 2, revision: 9, kvs: sampleKeyValues },
]
