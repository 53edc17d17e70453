import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { runToEnd } from '../../base/run-to-end.ts'
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
  {
    weight: 1,
    arbitrary: fc.record({ type: fc.constant('setQuota' as const), bytes: fc.constantFrom(0, 16 << 20) }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('checkpoint' as const) }) },
) as fc.Arbitrary<StoreCommand>
const commands = fc.array(command, { maxLength: 50, size: 'max' })

function comparable(reply: StoreReply): unknown {
  // What the twin cannot know; that it depends on the state alone is a property of its own below.
  if (reply.ok && reply.type === 'checkpoint') return { ...reply, hash: '', sessionsHash: '' }
  return reply.ok ? reply : { ok: false, code: reply.error.code, outcome: reply.error.outcome }
}

function hasRevision(operation: Operation): boolean {
  return operation.op === 'range' && operation.revision !== undefined
}

function compactionAt(revision: number): StoreCommand {
  return { session: 0, sequence: 0, acknowledged: 0, type: 'compact', revision }
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
  expect(model.eventsBetween(keys, from, twin.revision)).toEqual(changesSince(twin, keys, from))
  const [first] = twin.rangeAt(keys, twin.revision)
  for (let since = from; first !== undefined && since <= twin.revision; since++) {
    const { key } = first
    expect(model.eventsBetween({ key }, since, twin.revision)).toEqual(changesSince(twin, { key }, since))
  }
  expect(codeOf(() => model.eventsBetween(keys, from - 1, twin.revision))).toBe('compacted')
}

function changesSince(twin: NaiveStore, keys: KeyRange, from: number): unknown[] {
  const changes = []
  for (let at = Math.max(2, from); at <= twin.revision; at++) {
    const events = twin.eventsOf(keys, at)
    if (events.length > 0) changes.push({ revision: at, events, leasesGranted: [], leasesEnded: [] })
  }
  return changes
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
        expect([model.stats.bytes, model.quotaBytes]).toEqual([twin.bytes, twin.quotaBytes])
      }),
      { numRuns: 300 },
    )
  })

  test('agree on the size after every command', () => {
    fc.assert(
      fc.property(commands, (all) => {
        const model = new StoreModel(limits)
        const twin = new NaiveStore(limits)
        for (const next of all) {
          model.apply(next)
          twin.apply(next)
          expect(model.stats.bytes).toBe(twin.bytes)
        }
      }),
      { numRuns: 60 },
    )
  })

  test('have equal hashes exactly when the states are equal, whatever was compacted and whenever', () => {
    fc.assert(
      fc.property(commands, fc.array(fc.nat(49), { maxLength: 6 }), (all, compactedAt) => {
        const model = new StoreModel(limits)
        const other = new StoreModel(limits)
        const twin = new NaiveStore(limits)
        const stateOf = new Map<string, string>()
        const hashOf = new Map<string, string>()
        // Compaction by command shows in replies, and so in sessions; here it comes between commands, at other times in each model.
        for (const [i, next] of all.filter(({ type }) => type !== 'compact').entries()) {
          const readsOld = next.type === 'txn' && [...next.then, ...next.else].some(hasRevision)
          if (readsOld) continue
          model.apply(next)
          other.apply(next)
          twin.apply(next)
          if (compactedAt.includes(i)) other.apply(compactionAt(other.revision))
          const { hash } = model.stateHash()
          expect(other.stateHash()).toEqual(model.stateHash())
          expect(runToEnd(model.recomputeStateHash())).toEqual(model.stateHash())
          expect(stateOf.get(hash) ?? twin.canonical).toBe(twin.canonical)
          expect(hashOf.get(twin.canonical) ?? hash).toBe(hash)
          stateOf.set(hash, twin.canonical)
          hashOf.set(twin.canonical, hash)
        }
      }),
      { numRuns: 150 },
    )
  })

  test('answer a transaction that only reads without the log as from it, and are not changed by it', () => {
    const readOnly = fc.record({
      session: fc.constant(0),
      sequence: fc.constant(0),
      acknowledged: fc.constant(0),
      type: fc.constant('txn' as const),
      compare: fc.array(compare, { maxLength: 2 }),
      then: fc.array(range, { maxLength: 3 }),
      else: fc.array(range, { maxLength: 3 }),
    }) as fc.Arbitrary<Extract<StoreCommand, { type: 'txn' }>>
    fc.assert(
      fc.property(commands, readOnly, (all, txn) => {
        const model = new StoreModel(limits)
        for (const next of all) model.apply(next)
        const before = model.hash()
        const read = codeOf(() => model.readTxn(txn))
        expect(model.hash()).toBe(before)
        const reply = model.apply(txn)
        expect(read).toEqual(
          reply.ok ? (reply as Extract<StoreReply, { type: 'txn' }>).reply : reply.error.code,
        )
        expect(model.hash()).toBe(before)
      }),
      { numRuns: 200 },
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
        expect(restored.stateHash()).toEqual(model.stateHash())
        expect(restored.stats).toEqual(model.stats)
      }),
      { numRuns: 200 },
    )
  })
})
