import { describe, expect, test } from 'vitest'
import { bytesFromText } from '../../base/bytes.ts'
import type { KeyValue, WatchBatch, WatchEvent } from '../../contracts/store.ts'
import { checkBank } from './bank.ts'
import { EventLog } from './event-log.ts'
import { checkLeaseLives } from './lease-life.ts'
import { checkLockHolders } from './lock-holders.ts'
import { checkSetFull } from './set-full.ts'
import { op } from './test-histories.ts'
import { checkUniqueIds } from './unique-ids.ts'
import { checkWatches, type WatchObservation } from './watch-guarantees.ts'

const kv = (key: string, modRevision: number, createRevision = modRevision, version = 1): KeyValue => ({
  key,
  value: bytesFromText(`v${modRevision}`),
  createRevision,
  modRevision,
  version,
  lease: 0,
})
const put = (pair: KeyValue, previous?: KeyValue): WatchEvent =>
  previous === undefined ? { type: 'put', kv: pair } : { type: 'put', kv: pair, previous }

const a1 = put(kv('a', 1))
const a2 = put(kv('a', 2, 1, 2), kv('a', 1))
const b2 = put(kv('b', 2))
const a3: WatchEvent = { type: 'delete', key: 'a', modRevision: 3, previous: kv('a', 2, 1, 2) }
const c4 = put(kv('c', 4))
const log = new EventLog([
  { revision: 1, events: [a1] },
  { revision: 2, events: [a2, b2] },
  { revision: 3, events: [a3] },
  { revision: 4, events: [c4] },
])

const created: WatchBatch = { kind: 'created', revision: 0 }
const events = (revision: number, ...list: WatchEvent[]): WatchBatch => ({
  kind: 'events',
  revision,
  events: list,
})
const progress = (revision: number): WatchBatch => ({ kind: 'progress', revision })

function broken(batches: readonly WatchBatch[], more: Partial<WatchObservation> = {}): string[] {
  const request = { key: 'a', end: 'c', fromRevision: 1, previous: true, ...more.request }
  const { findings } = checkWatches(log, [{ name: 'w', batches, ...more, request }])
  return [...new Set(findings.map(({ guarantee }) => guarantee))].sort()
}

describe('watches', () => {
  const whole = [created, events(1, a1), events(2, a2, b2), events(3, a3)]

  test('one that was given everything in its range is right', () => {
    expect(broken([...whole, progress(4)], { completeUntil: 4 })).toEqual([])
    expect(broken([created, events(3, a1, a2, b2, a3)], { completeUntil: 4 })).toEqual([])
  })

  test('one set at a revision begins after it', () => {
    const request = { key: 'a', end: null }
    const set: WatchBatch = { kind: 'created', revision: 2 }
    const { verdict } = checkWatches(log, [
      { name: 'w', request, batches: [set, events(4, a3, c4)], completeUntil: 4 },
    ])
    expect(verdict).toBe('ok')
  })

  test.each<[string, string[], WatchBatch[]]>([
    ['revisions go back', ['ordered'], [created, events(3, a1, a3, a2, b2)]],
    ['an event comes twice', ['ordered', 'unique'], [...whole, events(2, a2)]],
    ['a revision is left out', ['complete'], [created, events(1, a1), events(3, a3)]],
    ['a revision comes in two halves', ['atomic'], [created, events(1, a1), events(2, a2), events(2, b2)]],
    ['a watch resumes too late', ['resumable'], [created, events(2, a2, b2)]],
    ['the previous value is wrong', ['previous'], [created, events(1, put(kv('a', 1), kv('a', 1)))]],
    ['progress runs ahead of the events', ['progress'], [created, events(1, a1), progress(2)]],
    ['progress goes back', ['progress'], [...whole, progress(2)]],
    [
      'a value is not the one in the log',
      ['truthful'],
      [created, events(1, put({ ...kv('a', 1), lease: 9 }))],
    ],
    ['a key was not asked for', ['filtered'], [...whole, events(4, c4)]],
    ['created is missing', ['created'], [events(1, a1)]],
    ['created comes twice', ['created'], [created, created, events(1, a1)]],
    [
      'the list of a resync is wrong',
      ['resync'],
      [created, { kind: 'resync', fromRevision: 1, revision: 2, kvs: [kv('b', 2)] }],
    ],
    [
      'a resync leaves a gap',
      ['resync'],
      [created, { kind: 'resync', fromRevision: 2, revision: 3, kvs: [kv('b', 2)] }],
    ],
  ])('%s', (_title, guarantees, batches) => {
    expect(broken(batches)).toEqual(guarantees)
  })

  test('a resync covers what was compacted away', () => {
    const resync: WatchBatch = {
      kind: 'resync',
      fromRevision: 1,
      revision: 2,
      kvs: [kv('a', 2, 1, 2), kv('b', 2)],
    }
    expect(broken([created, resync, events(3, a3)], { completeUntil: 4 })).toEqual([])
  })

  test('what a watcher had time for and was not given is lost', () => {
    expect(broken([created, events(1, a1)])).toEqual([])
    expect(broken([created, events(1, a1)], { completeUntil: 4 })).toEqual(['complete'])
  })

  test('a watch that resumes is given nothing older', () => {
    const request = { key: 'a', end: 'c', fromRevision: 3 }
    expect(broken([created, events(2, a2, b2), events(3, a3)], { request })).toContain('resumable')
  })

  test('progress into the future is not honest', () => {
    expect(broken([...whole, progress(9)], { completeUntil: 4 })).toEqual(['progress'])
  })
})

describe('lock holders', () => {
  const tenure = (holder: string, token: number, from: number, until: number) => ({
    lock: 'l',
    holder,
    token,
    from,
    until,
  })
  const found = (...tenures: ReturnType<typeof tenure>[]) =>
    checkLockHolders(tenures).findings.map(({ guarantee }) => guarantee)

  test('one after the other with growing tokens is right', () => {
    expect(found(tenure('a', 1, 0, 5), tenure('b', 2, 5, Number.POSITIVE_INFINITY))).toEqual([])
    expect(checkLockHolders([tenure('a', 1, 0, 9), { ...tenure('b', 1, 0, 9), lock: 'other' }]).verdict).toBe(
      'ok',
    )
  })

  test('two at once, the same token, a smaller token', () => {
    expect(found(tenure('a', 1, 0, 9), tenure('b', 2, 1, 2), tenure('c', 3, 5, 7))).toEqual([
      'exclusive',
      'exclusive',
    ])
    expect(found(tenure('a', 1, 0, 5), tenure('b', 1, 5, 9))).toEqual(['token-unique'])
    expect(found(tenure('a', 2, 0, 5), tenure('b', 1, 5, 9))).toEqual(['token-grows'])
  })
})

describe('leases', () => {
  const granted = { type: 'granted', lease: 1, ttlMs: 100, sentAt: 0, acknowledgedAt: 5 } as const
  const expired = (at: number) => ({ type: 'expired', lease: 1, at }) as const
  const found = (...records: Parameters<typeof checkLeaseLives>[0]) =>
    checkLeaseLives(records).findings.map(({ guarantee }) => guarantee)

  test('one that ends when its time has passed, or is revoked, is right', () => {
    expect(found(granted, expired(100))).toEqual([])
    expect(found(granted, { type: 'revoked', lease: 1, at: 3 })).toEqual([])
  })

  test('one that ends early, twice, or comes back is not', () => {
    expect(found(granted, expired(99))).toEqual(['not-early'])
    expect(found(granted, { ...granted, type: 'renewed', sentAt: 50 }, expired(120))).toEqual(['not-early'])
    expect(found(granted, expired(100), expired(150))).toEqual(['ends-once'])
    expect(found(granted, expired(100), { ...granted, type: 'renewed', sentAt: 101 })).toEqual(['no-return'])
  })

  test('a clock that may run fast is allowed for', () => {
    expect(checkLeaseLives([granted, expired(99)], { driftRatioMax: 0.02 }).verdict).toBe('ok')
  })
})

describe('sets, ids, balances', () => {
  const add = (at: number, value: number) => op(at, at + 1, 'add', value)
  const read = (at: number, ...values: number[]) => op(at, at + 1, 'read', undefined, values)

  test('an element that comes late is stale, one that never comes is lost', () => {
    const result = checkSetFull([add(0, 1), add(2, 2), add(90, 3), read(10, 1), read(30), read(50, 1)])
    expect(result).toMatchObject({ verdict: 'violation', lost: 1, stale: 1, staleTimeMax: 29, neverRead: 1 })
    expect(checkSetFull([add(0, 1), read(2), read(4, 1)], { isStaleRefused: false }).verdict).toBe('ok')
  })

  test('an element that was not added, or is read twice, is found', () => {
    const { findings } = checkSetFull([add(0, 1), read(2, 1, 1, 5)])
    expect(findings.map(({ guarantee }) => guarantee)).toEqual(['duplicate', 'unexpected'])
  })

  test('ids given twice are found', () => {
    const ids = [op(0, 1, 'generate', undefined, 'x'), op(0, 1, 'generate', undefined, 'y')]
    expect(checkUniqueIds(ids)).toMatchObject({ verdict: 'ok', generated: 2 })
    expect(checkUniqueIds([...ids, op(3, 4, 'generate', undefined, 'x')]).verdict).toBe('violation')
  })

  test('money made, lost or owed is found', () => {
    const shows = (a: number, b: number) => op(0, 1, 'read', undefined, { a, b })
    expect(checkBank([shows(5, 5), shows(0, 10)]).verdict).toBe('ok')
    expect(checkBank([shows(5, 5), shows(5, 4)]).findings).toMatchObject([{ guarantee: 'total' }])
    expect(checkBank([shows(11, -1)], { total: 10 }).findings).toMatchObject([{ guarantee: 'not-negative' }])
  })
})
