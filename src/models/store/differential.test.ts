import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isAlthingError } from '../../contracts/errors.ts'
import type { KeyRange, Operation } from '../../contracts/store.ts'
import { decodeCommand, encodeCommand } from './codec.ts'
import { storeModelLimits } from './limits.ts'
import { NaiveStore } from './naive-store.test-support.ts'
import { StoreModel } from './store-model.ts'
import type { StoreCommand, StoreReply } from './types.ts'

const limits = { ...storeModelLimits, sessionsMax: 3, sessionRepliesMax: 4 }

const key = fc.constantFrom('a', 'b', 'ba', 'c', 'd', '\u00ff')
const bound = fc.oneof(key, fc.constant(''))
const value = fc.integer({ min: 0, max: 9 }).map((byte) => Uint8Array.of(byte))
const small = fc.integer({ min: 0, max: 6 })
const revision = fc.integer({ min: 1, max: 12 })
const keyRange: fc.Arbitrary<KeyRange> = fc.oneof(
  fc.record({ key }),
  fc.record({ key: bound, end: fc.oneof(bound, fc.constant(null)) }),
)
const flag = fc.boolean()
const range = fc
  .tuple(keyRange, fc.option(revision, { freq: 2, nil: undefined }), small, flag, flag, flag)
  .map(([keys, at, limit, descending, keysOnly, countOnly]) => ({
    op: 'range' as const,
    ...keys,
    limit,
    order: descending ? ('descending' as const) : ('ascending' as const),
    keysOnly,
    countOnly: keysOnly && countOnly,
    ...(at === undefined ? {} : { revision: at }),
  }))
const put = fc.record({
  op: fc.constant('put' as const),
  key,
  value,
  lease: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 3 }), fc.constant('keep' as const)),
  previous: flag,
})
const remove = fc
  .tuple(keyRange, flag)
  .map(([keys, previous]) => ({ op: 'delete' as const, ...keys, previous }))
const operations = fc.array(
  fc.oneof<fc.Arbitrary<Operation>[]>(range, put, put, remove) as fc.Arbitrary<Operation>,
  { maxLength: 4 },
)
const op = fc.constantFrom('=', '!=', '<', '>')
const compare = fc.oneof(
  fc.record({ target: fc.constant('value' as const), key, op, value }),
  fc.record({
    target: fc.constantFrom('version', 'createRevision', 'modRevision', 'lease'),
    key,
    op,
    value: small,
  }),
)
const stamp = {
  session: fc.oneof(
    { weight: 2, arbitrary: fc.constant(0) },
    { weight: 3, arbitrary: fc.integer({ min: 1, max: 5 }) },
  ),
  sequence: small,
  acknowledged: fc.constantFrom(0, 0, 0, 1, 3),
}
const command = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      ...stamp,
      type: fc.constant('txn' as const),
      compare: fc.array(compare, { maxLength: 2 }),
      then: operations,
      else: operations,
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ ...stamp, type: fc.constant('grantLease' as const), ttlMs: fc.constant(1_000) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      ...stamp,
      type: fc.constant('revokeLease' as const),
      lease: fc.integer({ min: 1, max: 6 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant('expireLeases' as const),
      leases: fc.array(small, { maxLength: 3 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ ...stamp, type: fc.constant('compact' as const), revision }) },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant('openSession' as const),
      ownerKey: fc.constantFrom('p', 'q', 'r', 's', 't'),
    }),
  },
  { weight: 1, arbitrary: fc.record({ ...stamp, type: fc.constant('closeSession' as const) }) },
) as fc.Arbitrary<StoreCommand>
const commands = fc.array(command, { maxLength: 50, size: 'max' })

function comparable(reply: StoreReply): unknown {
  return reply.ok ? reply : { ok: false, code: reply.error.code, outcome: reply.error.outcome }
}

function codeOf(call: () => unknown): unknown {
  try {
    return call()
  } catch (error) {
    if (isAlthingError(error)) return error.code
    throw error
  }
}

function expectSameReads(model: StoreModel, twin: NaiveStore, keys: KeyRange): void {
  expect([model.revision, model.compactRevision]).toEqual([twin.revision, twin.compactRevision])
  for (let at = 1; at <= twin.revision; at++) {
    const expected = at < twin.compactRevision ? 'compacted' : twin.rangeAt(keys, at)
    expect(codeOf(() => model.range({ ...keys, revision: at }).kvs)).toEqual(expected)
  }
  const from = twin.compactRevision + 1
  const expected = []
  for (let at = Math.max(2, from); at <= twin.revision; at++) {
    const events = twin.eventsOf(keys, at)
    if (events.length > 0) expected.push({ revision: at, events, leasesGranted: [], leasesEnded: [] })
  }
  expect(model.eventsBetween(keys, from, twin.revision)).toEqual(expected)
  expect(codeOf(() => model.eventsBetween(keys, from - 1, twin.revision))).toBe('compacted')
}

function expectSameLeases(model: StoreModel, twin: NaiveStore): void {
  const expected = twin.leases.map(([lease, ttlMs]) => {
    const keys = twin.rangeAt({ key: '', end: null }, twin.revision).filter((kv) => kv.lease === lease)
    return { lease, ttlMs, keys: keys.map((kv) => kv.key) }
  })
  expect(model.leases()).toEqual(expected)
}

describe('the store model and a naive twin', () => {
  test('give the same replies, reads, events and leases for any commands', () => {
    fc.assert(
      fc.property(commands, keyRange, (all, keys) => {
        const model = new StoreModel(limits)
        const twin = new NaiveStore(limits)
        for (const next of all) {
          const before = twin.revision
          const { reply, change } = model.applyWithChange(decodeCommand(encodeCommand(next)))
          expect(comparable(reply)).toEqual(twin.apply(next))
          expect(model.revision).toBe(twin.revision)
          expect(change?.events ?? []).toEqual(
            twin.revision > before ? twin.eventsOf({ key: '', end: null }, twin.revision) : [],
          )
        }
        expectSameReads(model, twin, keys)
        expectSameReads(model, twin, { key: '', end: null })
        expectSameLeases(model, twin)
      }),
      { numRuns: 300 },
    )
  })

  test('a model restored from a snapshot taken at any point, and read while the first goes on, is its equal for ever', () => {
    fc.assert(
      fc.property(commands, commands, (first, then) => {
        const model = new StoreModel(limits)
        for (const next of first) model.apply(next)
        const hash = model.hash()
        const snapshot = model.snapshot()
        const restored = new StoreModel(limits)
        const repliesOfModel = then.map((next) => model.apply(next))
        restored.restore(snapshot)
        expect(restored.hash()).toBe(hash)
        expect(then.map((next) => restored.apply(next))).toEqual(repliesOfModel)
        expect(restored.hash()).toBe(model.hash())
        expect(restored.leases()).toEqual(model.leases())
      }),
      { numRuns: 200 },
    )
  })
})
