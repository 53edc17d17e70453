import { expect, test } from 'vitest'
import type { NodeStatus } from '../api/types.ts'
import { gaugesOf } from './gauges.ts'
import { clusterOf, member } from './snapshots.test-support.ts'

const vitals = (p99Ms: number, diskSyncP99Ms?: number) => ({
  vitals: {
    loopDelay: { meanMs: 1, p50Ms: 1, p99Ms, maxMs: 50 },
    ...(diskSyncP99Ms === undefined ? {} : { diskSyncP99Ms }),
  },
})

const steadiness = (changesLastHour: number): Pick<NodeStatus, 'operations'> => ({
  operations: { leadership: { changesTotal: 9, changesLastHour } } as NonNullable<NodeStatus['operations']>,
})

test('the gauges are those of the worst member that answers', () => {
  const members = [member(1, vitals(2, 9)), member(2, { ...vitals(7), ...steadiness(5) }), member(3, null)]
  expect(gaugesOf(clusterOf(members))).toEqual({ diskMs: 9, loopMs: 7, leaderChanges: 5 })
})

test('what no member tells is not known', () => {
  expect(gaugesOf(clusterOf([member(1)]))).toEqual({
    diskMs: undefined,
    loopMs: undefined,
    leaderChanges: undefined,
  })
})
