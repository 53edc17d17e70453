import fc from 'fast-check'
import { Packr } from 'msgpackr'
import { describe, expect, test } from 'vitest'
import { byteStringFromBytes } from '../../base/bytes.ts'
import { AlthingError, isAlthingError } from '../../contracts/errors.ts'
import type { KeyValue, WatchEvent } from '../../contracts/store.ts'
import type { StoreReply } from './types.ts'
import {
  decodeLeaseStatuses,
  decodeRangeReply,
  decodeRangeRequest,
  decodeStoreReply,
  decodeWatchBatch,
  encodeLeaseStatuses,
  encodeRangeReply,
  encodeRangeRequest,
  encodeStoreReply,
  encodeWatchBatch,
} from './wire.ts'

const packr = new Packr({ useRecords: false })

function overTheWire(wire: unknown): unknown {
  return packr.unpack(packr.pack(wire))
}

const everyByte = byteStringFromBytes(Uint8Array.from({ length: 256 }, (_, i) => i))
const kv: KeyValue = {
  key: everyByte,
  value: Buffer.from([0, 255, 128]),
  createRevision: 2,
  modRevision: Number.MAX_SAFE_INTEGER,
  version: 3,
  lease: 0,
}
const ascii: KeyValue = { ...kv, key: 'services/a', lease: 7 }

const replies: readonly StoreReply[] = [
  {
    ok: true,
    type: 'txn',
    reply: {
      revision: 9,
      succeeded: false,
      replies: [
        { op: 'range', kvs: [kv, ascii], count: 5, more: true },
        { op: 'put' },
        { op: 'put', previous: kv },
        { op: 'delete', deleted: 0 },
        { op: 'delete', deleted: 1, previous: [ascii] },
      ],
    },
  },
  { ok: true, type: 'grantLease', lease: 4, ttlMs: 1_000 },
  { ok: true, type: 'revokeLease', revision: 3 },
  { ok: true, type: 'expireLeases', revision: 3, expired: [1, 2] },
  { ok: true, type: 'compact', compactRevision: 3 },
  { ok: true, type: 'openSession', session: 1 },
  { ok: true, type: 'closeSession' },
  { ok: true, type: 'setQuota', quotaBytes: 2 ** 31 },
  { ok: true, type: 'checkpoint', revision: 7, hash: '0123456789abcdef', sessionsHash: 'fedcba9876543210' },
  {
    ok: false,
    error: new AlthingError('compacted', 'gone', { outcome: 'none', details: { at: 1 } }).toJSON(),
  },
  { ok: false, error: new AlthingError('timeout', 'late').toJSON() },
]

const events: readonly WatchEvent[] = [
  { type: 'put', kv },
  { type: 'put', kv: ascii, previous: kv },
  { type: 'delete', key: everyByte, modRevision: 4 },
  { type: 'delete', key: 'a', modRevision: 4, previous: ascii },
]

describe('the form of replies and reads on the wire', () => {
  test.each(replies)('the reply %# comes back as it went in', (reply) => {
    expect(decodeStoreReply(overTheWire(encodeStoreReply(reply)))).toEqual(reply)
  })

  test('range requests come back as they went in', () => {
    for (const request of [
      { key: everyByte },
      { key: 'a', end: null, limit: 3, order: 'descending', keysOnly: true, countOnly: true, revision: 8 },
      { key: '', end: everyByte },
    ] as const) {
      expect(decodeRangeRequest(overTheWire(encodeRangeRequest(request)))).toEqual(request)
    }
  })

  test('range replies and lease statuses come back as they went in', () => {
    const reply = { revision: 4, kvs: [kv, ascii], count: 9, more: true }
    expect(decodeRangeReply(overTheWire(encodeRangeReply(reply)))).toEqual(reply)
    const leases = [
      { lease: 1, ttlMs: 500, keys: [everyByte, 'a'], remainingMs: 0.25 },
      { lease: 2, ttlMs: 500, keys: [] },
    ]
    expect(decodeLeaseStatuses(overTheWire(encodeLeaseStatuses(leases)))).toEqual(leases)
  })

  test('watch batches come back as they went in', () => {
    for (const batch of [
      { kind: 'events', revision: 4, events },
      { kind: 'created', revision: 4 },
      { kind: 'progress', revision: 4 },
      { kind: 'resync', revision: 4, fromRevision: 2, kvs: [kv] },
    ] as const) {
      expect(decodeWatchBatch(overTheWire(encodeWatchBatch(batch)))).toEqual(batch)
    }
  })

  test('what is anything else is corrupt, and never another failure', () => {
    const decoders = [
      decodeStoreReply,
      decodeRangeRequest,
      decodeRangeReply,
      decodeLeaseStatuses,
      decodeWatchBatch,
    ]
    const head = fc.constantFrom('txn', 'error', 'events', 'resync', 'grantLease', 'expireLeases')
    const junk = fc.oneof(fc.anything(), fc.tuple(head, fc.anything(), fc.anything(), fc.anything()))
    fc.assert(
      fc.property(junk, fc.constantFrom(...decoders), (wire, decode) => {
        try {
          decode(wire)
        } catch (error) {
          expect(isAlthingError(error, 'corrupt')).toBe(true)
        }
      }),
      { numRuns: 2_000 },
    )
  })

  test('a key with a character beyond a byte is corrupt', () => {
    expect(() => decodeRangeRequest(['\u0100', 0, '', 0, 0, 0])).toThrow(/key/)
  })
})
