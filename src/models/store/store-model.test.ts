import { describe, expect, test } from 'vitest'
import { bytesFromText } from '../../base/bytes.ts'
import type { Compare, Operation } from '../../contracts/store.ts'
import { storeLimits } from '../../contracts/store.ts'
import { decodeCommand, encodeCommand } from './codec.ts'
import { storeModelLimits } from './limits.ts'
import { type Applied, StoreModel } from './store-model.ts'
import type { SessionStamp, StoreMutation, StoreReply } from './types.ts'

const noSession: SessionStamp = { session: 0, sequence: 0, acknowledged: 0 }

function put(key: string, text = '', more: { lease?: number | 'keep'; previous?: boolean } = {}): Operation {
  return { op: 'put', key, value: bytesFromText(text), ...more }
}

function txn(
  then: readonly Operation[],
  compare: readonly Compare[] = [],
  otherwise: readonly Operation[] = [],
): StoreMutation {
  return { type: 'txn', compare, then, else: otherwise }
}

function run(model: StoreModel, mutation: StoreMutation, stamp = noSession): Applied {
  return model.applyWithChange({ ...stamp, ...mutation })
}

function refusal(reply: StoreReply): unknown {
  return reply.ok ? undefined : [reply.error.code, reply.error.outcome]
}

function grant(model: StoreModel): number {
  const { reply } = run(model, { type: 'grantLease', ttlMs: 1_000 })
  return reply.ok && reply.type === 'grantLease' ? reply.lease : 0
}

function openSession(model: StoreModel, ownerKey: string): number {
  const reply = model.apply({ type: 'openSession', ownerKey })
  return reply.ok && reply.type === 'openSession' ? reply.session : 0
}

function keysOf(model: StoreModel): string[] {
  return model.range({ key: '', end: null }).kvs.map((kv) => kv.key)
}

describe('revisions', () => {
  test('an empty store is at revision 1, and each transaction that changes something adds one', () => {
    const model = new StoreModel()
    expect(model.revision).toBe(1)
    run(model, txn([put('a'), put('b')]))
    expect(model.revision).toBe(2)
    run(model, txn([{ op: 'delete', key: 'none' }]))
    run(model, txn([{ op: 'range', key: 'a' }]))
    grant(model)
    expect(model.revision).toBe(2)
  })

  test('a key counts its versions from its creation, and begins anew after a deletion', () => {
    const model = new StoreModel()
    for (const operation of [put('a'), put('a'), { op: 'delete', key: 'a' } as const, put('a', 'x')])
      run(model, txn([operation]))
    expect(model.range({ key: 'a' }).kvs).toMatchObject([
      { createRevision: 5, modRevision: 5, version: 1, lease: 0 },
    ])
    expect(model.range({ key: 'a', revision: 3 }).kvs).toMatchObject([
      { createRevision: 2, modRevision: 3, version: 2 },
    ])
    expect(model.range({ key: 'a', revision: 4 }).kvs).toEqual([])
  })

  test('the revision never goes back, though every key is deleted and compacted', () => {
    const model = new StoreModel()
    run(model, txn([put('a')]))
    run(model, txn([{ op: 'delete', key: '', end: null }]))
    run(model, { type: 'compact', revision: 3 })
    expect(model.stats).toMatchObject({ keys: 0, revisionsKept: 0 })
    const restored = new StoreModel()
    restored.restore(model.snapshot())
    expect([model.revision, restored.revision]).toEqual([3, 3])
    run(restored, txn([put('b')]))
    expect(restored.eventsBetween({ key: '', end: null }, 4, 9)).toMatchObject([{ revision: 4 }])
  })

  test.each([3, 64, 65, 4_096])('a value of %i bytes holds on to nothing of the log it came from', (size) => {
    const model = new StoreModel()
    const value = new Uint8Array(size).fill(7)
    const entry = encodeCommand({ ...noSession, ...txn([{ op: 'put', key: 'a', value }]) })
    model.apply(decodeCommand(entry))
    entry.fill(0)
    value.fill(0)
    const kept = model.range({ key: 'a' }).kvs[0]?.value
    expect(kept).toEqual(new Uint8Array(size).fill(7))
    expect(kept?.buffer.byteLength).toBe(size)
  })
})

describe('transactions', () => {
  test('reads of a branch see the changes before them, but not at an older revision', () => {
    const model = new StoreModel()
    const all = { op: 'range', key: '', end: null } as const
    const { reply } = run(model, txn([all, put('a'), all, { ...all, revision: 1 }]))
    expect(reply.ok && reply.type === 'txn' && reply.reply.replies).toMatchObject([
      { count: 0 },
      {},
      { count: 1 },
      { count: 0 },
    ])
  })

  test('a branch that writes a key twice is refused, whichever branch is taken and whatever keys there are', () => {
    const model = new StoreModel()
    const twice: Operation[][] = [
      [put('a'), put('a')],
      [{ op: 'delete', key: '', end: null }, put('a')],
      [put('b'), { op: 'delete', key: 'a', end: 'c' }],
      [
        { op: 'delete', key: 'a', end: 'c' },
        { op: 'delete', key: 'b', end: 'd' },
      ],
    ]
    for (const branch of twice) {
      expect(refusal(run(model, txn(branch)).reply)).toEqual(['invalid-argument', 'none'])
      expect(refusal(run(model, txn([], [], branch)).reply)).toEqual(['invalid-argument', 'none'])
    }
    expect(model.revision).toBe(1)
    expect(run(model, txn([{ op: 'delete', key: 'a', end: 'b' }, put('b')])).reply.ok).toBe(true)
  })

  test('a refused transaction changes nothing, though an operation before the refused one could be done', () => {
    const model = new StoreModel()
    expect(refusal(run(model, txn([put('a'), put('b', '', { lease: 9 })])).reply)).toEqual([
      'lease-not-found',
      'none',
    ])
    expect(refusal(run(model, txn([put('a'), { op: 'range', key: 'a', revision: 9 }])).reply)).toEqual([
      'future-revision',
      'none',
    ])
    expect(keysOf(model)).toEqual([])
    expect(model.revision).toBe(1)
  })

  test('the events of a revision are ordered by key, and carry the version before', () => {
    const model = new StoreModel()
    run(model, txn([put('b', 'old')]))
    const { change } = run(model, txn([put('c'), { op: 'delete', key: 'b' }, put('a')]))
    expect(change).toMatchObject({
      revision: 3,
      events: [
        { type: 'put', kv: { key: 'a' } },
        { type: 'delete', key: 'b', modRevision: 3, previous: { modRevision: 2 } },
        { type: 'put', kv: { key: 'c' } },
      ],
    })
  })

  test.each<[string, StoreMutation]>([
    ['invalid-argument', txn([put('')])],
    ['too-large', txn([put('k'.repeat(storeLimits.keyBytesMax + 1))])],
    ['too-large', txn([{ op: 'put', key: 'a', value: new Uint8Array(storeLimits.valueBytesMax + 1) }])],
    ['too-large', txn(Array.from({ length: storeLimits.txnOperationsMax + 1 }, (_, i) => put(`k${i}`)))],
    [
      'too-large',
      txn(
        ['a', 'b', 'c'].map((key) => ({ op: 'put', key, value: new Uint8Array(storeLimits.valueBytesMax) })),
      ),
    ],
    ['invalid-argument', { type: 'grantLease', ttlMs: storeLimits.leaseTtlMsMin - 1 }],
    ['invalid-argument', { type: 'grantLease', ttlMs: storeLimits.leaseTtlMsMax + 1 }],
    ['lease-not-found', { type: 'revokeLease', lease: 77 }],
    ['future-revision', { type: 'compact', revision: 2 }],
  ])('%s: a mutation beyond its limits is refused (%#)', (code, mutation) => {
    const model = new StoreModel()
    const hash = model.hash()
    expect(refusal(run(model, mutation).reply)).toEqual([code, 'none'])
    expect(model.hash()).toBe(hash)
  })

  test('a range is cut at the bytes of a reply, and says so; previous versions beyond them are refused', () => {
    const model = new StoreModel()
    for (let i = 0; i < 9; i++)
      run(model, txn([{ op: 'put', key: `k${i}`, value: new Uint8Array(storeLimits.valueBytesMax) }]))
    expect(model.range({ key: '', end: null })).toMatchObject({ count: 9, more: true, kvs: { length: 7 } })
    expect(refusal(run(model, txn([{ op: 'delete', key: '', end: null, previous: true }])).reply)).toEqual([
      'too-large',
      'none',
    ])
    expect(keysOf(model).length).toBe(7)
  })
})

describe('leases', () => {
  test('the end of several leases deletes their keys in one revision', () => {
    const model = new StoreModel()
    const [first, second] = [grant(model), grant(model)]
    run(model, txn([put('b', '', { lease: first }), put('a', '', { lease: second }), put('c')]))
    const { reply, change } = model.applyWithChange({ type: 'expireLeases', leases: [second, 99, first] })
    expect(reply).toEqual({ ok: true, type: 'expireLeases', revision: 3, expired: [second, first] })
    expect(change).toMatchObject({
      revision: 3,
      leasesEnded: [second, first],
      events: [{ key: 'a' }, { key: 'b' }],
    })
    expect(keysOf(model)).toEqual(['c'])
  })

  test('a put moves the key to another lease, to none, or keeps the one it has', () => {
    const model = new StoreModel()
    const [first, second] = [grant(model), grant(model)]
    run(model, txn([put('a', '', { lease: first })]))
    run(model, txn([put('a', '', { lease: 'keep' })]))
    expect(model.lease(first)?.keys).toEqual(['a'])
    run(model, txn([put('a', '', { lease: second })]))
    run(model, { type: 'revokeLease', lease: first })
    expect(keysOf(model)).toEqual(['a'])
    run(model, txn([put('a')]))
    run(model, { type: 'revokeLease', lease: second })
    expect(keysOf(model)).toEqual(['a'])
  })

  test('an id is never used twice, over a restore too', () => {
    const model = new StoreModel()
    const first = grant(model)
    run(model, { type: 'revokeLease', lease: first })
    const restored = new StoreModel()
    restored.restore(model.snapshot())
    expect(grant(restored)).toBe(first + 1)
  })

  test('past the number allowed no lease is granted', () => {
    const model = new StoreModel({ ...storeModelLimits, leasesMax: 1 })
    grant(model)
    expect(refusal(run(model, { type: 'grantLease', ttlMs: 1_000 }).reply)).toEqual(['overloaded', 'none'])
  })
})

describe('compaction', () => {
  test('keeps what is current at its revision, and forgets the versions and events before', () => {
    const model = new StoreModel()
    run(model, txn([put('a', '1'), put('b')]))
    run(model, txn([put('a', '2')]))
    run(model, txn([{ op: 'delete', key: 'b' }]))
    run(model, { type: 'compact', revision: 3 })
    expect(model.range({ key: '', end: null, revision: 3 }).count).toBe(2)
    expect(() => model.range({ key: 'a', revision: 2 })).toThrow(
      expect.objectContaining({ code: 'compacted' }),
    )
    expect(() => model.eventsBetween({ key: 'a' }, 3, 4)).toThrow(
      expect.objectContaining({ code: 'compacted' }),
    )
    expect(model.eventsBetween({ key: '', end: null }, 4, 4)).toMatchObject([
      { revision: 4, events: [{ type: 'delete', key: 'b', previous: { modRevision: 2 } }] },
    ])
  })

  test('an older or equal revision changes nothing, and answers with the one that holds', () => {
    const model = new StoreModel()
    run(model, txn([put('a')]))
    run(model, { type: 'compact', revision: 2 })
    const { reply, change } = run(model, { type: 'compact', revision: 1 })
    expect(reply).toEqual({ ok: true, type: 'compact', compactRevision: 2 })
    expect(change).toBeUndefined()
  })
})

describe('sessions', () => {
  test('a repeated command gives the first reply and is not applied again', () => {
    const model = new StoreModel()
    const stamp = { session: openSession(model, 'me'), sequence: 1, acknowledged: 0 }
    const first = run(model, txn([put('a')]), stamp)
    const again = run(model, txn([put('a')]), stamp)
    expect(again.reply).toEqual(first.reply)
    expect(again.change).toBeUndefined()
    expect(model.revision).toBe(2)
  })

  test('a refusal is kept like any other reply', () => {
    const model = new StoreModel()
    const stamp = { session: openSession(model, 'me'), sequence: 1, acknowledged: 0 }
    run(model, txn([put('a', '', { lease: 1 })]), stamp)
    grant(model)
    expect(refusal(run(model, txn([put('a', '', { lease: 1 })]), stamp).reply)).toEqual([
      'lease-not-found',
      'none',
    ])
  })

  test('a repeat of an acknowledged command is refused as unknown', () => {
    const model = new StoreModel()
    const session = openSession(model, 'me')
    run(model, txn([put('a')]), { session, sequence: 1, acknowledged: 0 })
    run(model, txn([put('b')]), { session, sequence: 2, acknowledged: 1 })
    const late = run(model, txn([put('a')]), { session, sequence: 1, acknowledged: 0 })
    expect(refusal(late.reply)).toEqual(['session-expired', 'unknown'])
    expect(model.revision).toBe(3)
  })

  test('the least recently used session is evicted; its commands may have been applied, those of one never opened not', () => {
    const model = new StoreModel({ ...storeModelLimits, sessionsMax: 2 })
    const [first, second] = [openSession(model, 'p'), openSession(model, 'q')]
    run(model, txn([put('a')]), { session: first, sequence: 1, acknowledged: 0 })
    openSession(model, 'r')
    expect(run(model, txn([put('b')]), { session: first, sequence: 2, acknowledged: 0 }).reply.ok).toBe(true)
    const evicted = run(model, txn([put('c')]), { session: second, sequence: 1, acknowledged: 0 })
    expect(refusal(evicted.reply)).toEqual(['session-expired', 'unknown'])
    const never = run(model, txn([put('c')]), { session: 99, sequence: 1, acknowledged: 0 })
    expect(refusal(never.reply)).toEqual(['session-expired', 'none'])
  })

  test('opening again with the same owner key gives the same session, until it is closed', () => {
    const model = new StoreModel()
    const session = openSession(model, 'me')
    expect(openSession(model, 'me')).toBe(session)
    for (let i = 0; i < 2; i++) {
      const { reply } = run(model, { type: 'closeSession' }, { session, sequence: 1, acknowledged: 0 })
      expect(reply).toEqual({ ok: true, type: 'closeSession' })
    }
    expect(openSession(model, 'me')).toBe(session + 1)
  })

  test('too many unacknowledged replies refuse a new command, which is applied when it comes again after an acknowledgement', () => {
    const model = new StoreModel({ ...storeModelLimits, sessionRepliesMax: 2 })
    const session = openSession(model, 'me')
    for (const sequence of [1, 2]) run(model, txn([put('a')]), { session, sequence, acknowledged: 0 })
    const refused = run(model, txn([put('b')]), { session, sequence: 3, acknowledged: 0 })
    expect(refusal(refused.reply)).toEqual(['overloaded', 'unknown'])
    expect(run(model, txn([put('b')]), { session, sequence: 3, acknowledged: 1 }).reply.ok).toBe(true)
    expect(keysOf(model)).toEqual(['a', 'b'])
  })

  test('a session whose unacknowledged replies hold too many bytes is refused, and costs no other its place', () => {
    const model = new StoreModel({ ...storeModelLimits, sessionReplyBytesMax: 5_000 })
    const [greedy, other] = [openSession(model, 'p'), openSession(model, 'q')]
    run(model, txn([put('a', 'x'.repeat(3_000))]))
    const read = txn([{ op: 'range', key: 'a' }])
    const send = (sequence: number, acknowledged = 0) =>
      run(model, read, { session: greedy, sequence, acknowledged }).reply
    expect([send(1).ok, send(2).ok]).toEqual([true, true])
    expect(refusal(send(3))).toEqual(['overloaded', 'unknown'])
    expect(send(2).ok).toBe(true)
    expect(send(3, 1).ok).toBe(true)
    expect(run(model, read, { session: other, sequence: 1, acknowledged: 0 }).reply.ok).toBe(true)
  })

  test('the keys in a reply count against the bytes that replies may hold', () => {
    const model = new StoreModel({ ...storeModelLimits, sessionReplyBytesMax: 5_000 })
    const session = openSession(model, 'me')
    run(model, txn([put('k'.repeat(4_000))]))
    const read = txn([{ op: 'range', key: 'k', end: null, keysOnly: true }])
    for (const sequence of [1, 2]) run(model, read, { session, sequence, acknowledged: 0 })
    const refused = run(model, read, { session, sequence: 3, acknowledged: 0 })
    expect(refusal(refused.reply)).toEqual(['overloaded', 'unknown'])
  })

  test('replies that hold too many bytes cost the least recently used sessions their place', () => {
    const model = new StoreModel({ ...storeModelLimits, replyBytesMax: 5_000 })
    const [first, second] = [openSession(model, 'p'), openSession(model, 'q')]
    run(model, txn([put('a', 'x'.repeat(3_000))]))
    const read = txn([{ op: 'range', key: 'a' }])
    for (const session of [first, second]) run(model, read, { session, sequence: 1, acknowledged: 0 })
    expect(model.stats.sessions).toBe(1)
    expect(refusal(run(model, read, { session: first, sequence: 1, acknowledged: 0 }).reply)).toEqual([
      'session-expired',
      'unknown',
    ])
  })
})
