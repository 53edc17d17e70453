import type { ByteString } from '../../base/bytes.ts'
import { AlthingError } from '../../contracts/errors.ts'
import type {
  KeyValue,
  LeaseStatus,
  OperationReply,
  RangeReply,
  RangeRequest,
  TxnReply,
  WatchBatch,
  WatchEvent,
} from '../../contracts/store.ts'
import { isErrorJson } from './reply-codec.ts'
import type { StoreReply } from './types.ts'

/**
 * Replies and reads as tuples of plain values, for a self-describing format (MessagePack): numbers, strings, booleans, null, arrays, and `Uint8Array`s for values. Byte
 * strings stay strings: their characters are at most U+00FF, which UTF-8 carries exactly. Commands have a form of their own (`codec.ts`).
 *
 * Each `decode` checks all of what it is given, and throws `corrupt`, naming the place, when it is not what the `encode` of the same name makes.
 */
export type Wire =
  | null
  | boolean
  | number
  | string
  | Uint8Array
  | { readonly [name: string]: unknown }
  | readonly Wire[]

export function encodeRangeRequest(request: RangeRequest): Wire {
  return [
    ...encodeKeyRange(request),
    request.limit ?? 0,
    (request.order === 'descending' ? 1 : 0) |
      (request.keysOnly === true ? 2 : 0) |
      (request.countOnly === true ? 4 : 0),
    request.revision ?? 0,
  ]
}

export function decodeRangeRequest(wire: unknown): RangeRequest {
  const [key, kind, end, limit, flags, revision] = tuple(wire, 6, 'a range request')
  const set = uint(flags, 'flags')
  if (set > 7) throw malformed('flags', flags)
  return {
    ...decodeKeyRange(key, kind, end),
    ...(uint(limit, 'limit') === 0 ? {} : { limit: limit as number }),
    ...((set & 1) !== 0 ? { order: 'descending' as const } : {}),
    ...((set & 2) !== 0 ? { keysOnly: true } : {}),
    ...((set & 4) !== 0 ? { countOnly: true } : {}),
    ...(uint(revision, 'revision') === 0 ? {} : { revision: revision as number }),
  }
}

export function encodeRangeReply(reply: RangeReply): Wire {
  return [reply.revision, reply.kvs.map(encodeKeyValue), reply.count, reply.more]
}

export function decodeRangeReply(wire: unknown): RangeReply {
  const [revision, kvs, count, more] = tuple(wire, 4, 'a range reply')
  return {
    revision: uint(revision, 'revision'),
    kvs: list(kvs, 'kvs').map(decodeKeyValue),
    count: uint(count, 'count'),
    more: boolean(more, 'more'),
  }
}

export function encodeStoreReply(reply: StoreReply): Wire {
  if (!reply.ok) return ['error', { ...reply.error }]
  switch (reply.type) {
    case 'txn':
      return [
        reply.type,
        reply.reply.revision,
        reply.reply.succeeded,
        reply.reply.replies.map(encodeOperationReply),
      ]
    case 'grantLease':
      return [reply.type, reply.lease, reply.ttlMs]
    case 'revokeLease':
      return [reply.type, reply.revision]
    case 'expireLeases':
      return [reply.type, reply.revision, reply.expired]
    case 'compact':
      return [reply.type, reply.compactRevision]
    case 'openSession':
      return [reply.type, reply.session]
    case 'closeSession':
      return [reply.type]
    case 'setQuota':
      return [reply.type, reply.quotaBytes]
    case 'checkpoint':
      return [reply.type, reply.revision, reply.hash, reply.sessionsHash]
  }
}

export function decodeStoreReply(wire: unknown): StoreReply {
  const [type, first, second, third] = list(wire, 'a store reply')
  switch (type) {
    case 'error':
      if (!isErrorJson(first)) throw malformed('an error', first)
      return { ok: false, error: first }
    case 'txn':
      return { ok: true, type, reply: decodeTxnReply(first, second, third) }
    case 'grantLease':
      return { ok: true, type, lease: uint(first, 'lease'), ttlMs: uint(second, 'ttlMs') }
    case 'revokeLease':
      return { ok: true, type, revision: uint(first, 'revision') }
    case 'expireLeases':
      return { ok: true, type, revision: uint(first, 'revision'), expired: uints(second, 'expired') }
    case 'compact':
      return { ok: true, type, compactRevision: uint(first, 'compactRevision') }
    case 'openSession':
      return { ok: true, type, session: uint(first, 'session') }
    case 'closeSession':
      return { ok: true, type }
    case 'setQuota':
      return { ok: true, type, quotaBytes: uint(first, 'quotaBytes') }
    case 'checkpoint':
      return {
        ok: true,
        type,
        revision: uint(first, 'revision'),
        hash: text(second, 'hash'),
        sessionsHash: text(third, 'sessionsHash'),
      }
    default:
      throw malformed('a store reply', type)
  }
}

export function encodeLeaseStatuses(leases: readonly LeaseStatus[]): Wire {
  return leases.map(({ lease, ttlMs, keys, remainingMs = null, moreKeys }) =>
    moreKeys === true ? [lease, ttlMs, keys, remainingMs, true] : [lease, ttlMs, keys, remainingMs],
  )
}

export function decodeLeaseStatuses(wire: unknown): LeaseStatus[] {
  return list(wire, 'leases').map((item) => {
    const parts = list(item, 'a lease')
    const [lease, ttlMs, keys, remainingMs, moreKeys] = parts.length === 5 ? parts : tuple(item, 4, 'a lease')
    return {
      lease: uint(lease, 'lease'),
      ttlMs: uint(ttlMs, 'ttlMs'),
      keys: list(keys, 'keys').map((key) => byteString(key, 'key')),
      ...(remainingMs === null ? {} : { remainingMs: finite(remainingMs, 'remainingMs') }),
      ...(moreKeys !== undefined && boolean(moreKeys, 'moreKeys') ? { moreKeys: true } : {}),
    }
  })
}

export function encodeWatchBatch(batch: WatchBatch): Wire {
  switch (batch.kind) {
    case 'events':
      return [batch.kind, batch.revision, batch.events.map(encodeWatchEvent)]
    case 'created':
    case 'progress':
      return [batch.kind, batch.revision]
    case 'resync':
      return [
        batch.kind,
        batch.revision,
        batch.fromRevision,
        batch.kvs.map(encodeKeyValue),
        batch.reason ?? null,
      ]
  }
}

export function decodeWatchBatch(wire: unknown): WatchBatch {
  const [kind, revisionWire, third, fourth, fifth] = list(wire, 'a watch batch')
  const revision = uint(revisionWire, 'revision')
  switch (kind) {
    case 'events':
      return { kind, revision, events: list(third, 'events').map(decodeWatchEvent) }
    case 'created':
    case 'progress':
      return { kind, revision }
    case 'resync':
      return {
        kind,
        revision,
        fromRevision: uint(third, 'fromRevision'),
        kvs: list(fourth, 'kvs').map(decodeKeyValue),
        ...decodeReason(fifth),
      }
    default:
      throw malformed('a watch batch', kind)
  }
}

/** A node of the previous version gives none; a reason of a later one is passed over. */
function decodeReason(wire: unknown): { reason?: 'slow' | 'compacted' } {
  return wire === 'slow' || wire === 'compacted' ? { reason: wire } : {}
}

function encodeKeyValue(kv: KeyValue): Wire {
  return [kv.key, kv.value, kv.createRevision, kv.modRevision, kv.version, kv.lease]
}

function decodeKeyValue(wire: unknown): KeyValue {
  const [key, value, createRevision, modRevision, version, lease] = tuple(wire, 6, 'a key')
  return {
    key: byteString(key, 'key'),
    value: bytes(value, 'value'),
    createRevision: uint(createRevision, 'createRevision'),
    modRevision: uint(modRevision, 'modRevision'),
    version: uint(version, 'version'),
    lease: uint(lease, 'lease'),
  }
}

function encodeWatchEvent(event: WatchEvent): Wire {
  const previous = event.previous === undefined ? null : encodeKeyValue(event.previous)
  return event.type === 'put'
    ? [encodeKeyValue(event.kv), previous]
    : [event.key, event.modRevision, previous]
}

function decodeWatchEvent(wire: unknown): WatchEvent {
  const parts = list(wire, 'an event')
  if (parts.length === 2) {
    return { type: 'put', kv: decodeKeyValue(parts[0]), ...decodePrevious(parts[1]) }
  }
  const [key, modRevision, previous] = tuple(parts, 3, 'an event')
  return {
    type: 'delete',
    key: byteString(key, 'key'),
    modRevision: uint(modRevision, 'modRevision'),
    ...decodePrevious(previous),
  }
}

function decodePrevious(wire: unknown): { previous?: KeyValue } {
  return wire === null ? {} : { previous: decodeKeyValue(wire) }
}

function encodeOperationReply(reply: OperationReply): Wire {
  switch (reply.op) {
    case 'range':
      return [reply.op, reply.kvs.map(encodeKeyValue), reply.count, reply.more]
    case 'put':
      return [reply.op, reply.previous === undefined ? null : encodeKeyValue(reply.previous)]
    case 'delete':
      return [
        reply.op,
        reply.deleted,
        reply.previous === undefined ? null : reply.previous.map(encodeKeyValue),
      ]
  }
}

function decodeOperationReply(wire: unknown): OperationReply {
  const [op, first, second, third] = list(wire, 'an operation reply')
  switch (op) {
    case 'range':
      return {
        op,
        kvs: list(first, 'kvs').map(decodeKeyValue),
        count: uint(second, 'count'),
        more: boolean(third, 'more'),
      }
    case 'put':
      return { op, ...decodePrevious(first) }
    case 'delete':
      return {
        op,
        deleted: uint(first, 'deleted'),
        ...(second === null ? {} : { previous: list(second, 'previous').map(decodeKeyValue) }),
      }
    default:
      throw malformed('an operation reply', op)
  }
}

function decodeTxnReply(revision: unknown, succeeded: unknown, replies: unknown): TxnReply {
  return {
    revision: uint(revision, 'revision'),
    succeeded: boolean(succeeded, 'succeeded'),
    replies: list(replies, 'replies').map(decodeOperationReply),
  }
}

/** 0: one key. 1: to the end of the key space. 2: to `end`. */
function encodeKeyRange(range: RangeRequest): [string, number, string] {
  if (range.end === undefined) return [range.key, 0, '']
  return range.end === null ? [range.key, 1, ''] : [range.key, 2, range.end]
}

function decodeKeyRange(
  key: unknown,
  kind: unknown,
  end: unknown,
): { key: ByteString; end?: ByteString | null } {
  const from = byteString(key, 'key')
  const to = byteString(end, 'end')
  if (kind === 0) return { key: from }
  if (kind === 1) return { key: from, end: null }
  if (kind === 2) return { key: from, end: to }
  throw malformed('the kind of a range', kind)
}

const notByteString = /[^\u0000-\u00ff]/

function byteString(value: unknown, what: string): ByteString {
  if (typeof value !== 'string' || notByteString.test(value)) throw malformed(what, value)
  return value
}

function text(value: unknown, what: string): string {
  if (typeof value !== 'string') throw malformed(what, value)
  return value
}

function bytes(value: unknown, what: string): Uint8Array {
  if (!(value instanceof Uint8Array)) throw malformed(what, value)
  return value
}

function uint(value: unknown, what: string): number {
  if (!Number.isSafeInteger(value) || (value as number) < 0) throw malformed(what, value)
  return value as number
}

function uints(value: unknown, what: string): number[] {
  return list(value, what).map((item) => uint(item, what))
}

function finite(value: unknown, what: string): number {
  if (!Number.isFinite(value)) throw malformed(what, value)
  return value as number
}

function boolean(value: unknown, what: string): boolean {
  if (typeof value !== 'boolean') throw malformed(what, value)
  return value
}

function list(value: unknown, what: string): readonly unknown[] {
  if (!Array.isArray(value)) throw malformed(what, value)
  return value
}

function tuple(value: unknown, length: number, what: string): readonly unknown[] {
  if (!Array.isArray(value) || value.length !== length) throw malformed(what, value)
  return value
}

function malformed(what: string, value: unknown): AlthingError {
  const given = value === null ? 'null' : Array.isArray(value) ? `an array of ${value.length}` : typeof value
  return new AlthingError('corrupt', `a message has ${given} where ${what} is due`)
}
