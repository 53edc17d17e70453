import { expect, test } from 'vitest'
import type { Configuration, NodeId } from '../../../protocols/raft/types.ts'
import type { MemberRecord } from './member-record.ts'
import { nextConfiguration } from './next-configuration.ts'

const addresses = { 1: 'a:1', 2: 'b:1', 3: 'c:1' }
const three: Configuration = { voters: [1, 2, 3], addresses }

function next(
  records: readonly MemberRecord[],
  more: { now?: Configuration; caughtUp?: readonly NodeId[]; busy?: readonly NodeId[] } = {},
): Configuration | undefined {
  const configuration = more.now ?? three
  return nextConfiguration({
    configuration,
    addresses: configuration.addresses ?? {},
    records: new Map(records.map((record) => [record.id, record])),
    caughtUp: new Set(more.caughtUp),
    busy: new Set(more.busy),
  })
}

const joined = (id: NodeId, more: Partial<MemberRecord> = {}): MemberRecord => ({
  id,
  state: 'joined',
  address: `n${id}:1`,
  promotes: true,
  ...more,
})

const withLearner: Configuration = {
  voters: [1, 2, 3],
  learners: [4],
  addresses: { ...addresses, 4: 'n4:1' },
}

test('there is nothing to do while records and configuration agree, and for those only invited', () => {
  expect(next([])).toBeUndefined()
  expect(next([{ id: 1, state: 'joined', storageId: 'x' }])).toBeUndefined()
  expect(next([{ id: 4, state: 'invited', address: 'n4:1', promotes: true }])).toBeUndefined()
})

test('one that has joined learns first, and votes when it has caught up', () => {
  expect(next([joined(4)])).toEqual(withLearner)
  expect(next([joined(4)], { now: withLearner })).toBeUndefined()
  expect(next([joined(4)], { now: withLearner, caughtUp: [4] })).toEqual({
    voters: [1, 2, 3, 4],
    addresses: withLearner.addresses,
  })
})

test('one that is to stay a learner is not promoted', () => {
  expect(next([joined(4, { promotes: false })], { now: withLearner, caughtUp: [4] })).toBeUndefined()
})

test('a replacement and the going of the one it replaces are one change', () => {
  const records: MemberRecord[] = [{ id: 3, state: 'leaving', replacedBy: 4 }, joined(4)]
  expect(next(records)).toEqual(withLearner)
  expect(next(records, { now: withLearner })).toBeUndefined()
  expect(next(records, { now: withLearner, caughtUp: [4] })).toEqual({
    voters: [1, 2, 4],
    addresses: { 1: 'a:1', 2: 'b:1', 4: 'n4:1' },
  })
})

test('one that leaves goes at once, unless its copies of other groups are still needed', () => {
  const leaving: MemberRecord = { id: 3, state: 'leaving' }
  expect(next([leaving])).toEqual({ voters: [1, 2], addresses: { 1: 'a:1', 2: 'b:1' } })
  expect(next([leaving], { busy: [3] })).toBeUndefined()
})

test('the last voter never goes', () => {
  const now: Configuration = { voters: [1], addresses: { 1: 'a:1' } }
  expect(next([{ id: 1, state: 'leaving' }], { now })).toBeUndefined()
})

test('a new address is written into the configuration, and those of a cluster without any are added', () => {
  expect(next([{ id: 2, state: 'joined', address: 'b:2' }])?.addresses).toEqual({ ...addresses, 2: 'b:2' })
  const old = nextConfiguration({
    configuration: { voters: [1, 2, 3] },
    addresses,
    records: new Map([[4, joined(4)]]),
    caughtUp: new Set(),
    busy: new Set(),
  })
  expect(old).toEqual(withLearner)
})
