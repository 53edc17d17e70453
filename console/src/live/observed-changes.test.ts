import { expect, test } from 'vitest'
import type { ProcessStatus } from '../api/types.ts'
import { observedChanges } from './observed-changes.ts'
import { clusterOf, member, snapshotOf } from './snapshots.test-support.ts'

const before = snapshotOf(clusterOf([member(1, { role: 'leader' }), member(2), member(3)]))

test('nothing is seen while nothing changes but the numbers', () => {
  const later = clusterOf([member(1, { role: 'leader', commitIndex: 99 }), member(2), member(3)])
  expect(observedChanges(before, snapshotOf(later))).toEqual([])
})

test('the death of a leader is seen as a member that is gone, then as another that leads', () => {
  const gone = snapshotOf(clusterOf([member(1, null), member(2), member(3)]))
  expect(observedChanges(before, gone)).toEqual([
    { key: 'seen.gone', values: { node: 1 } },
    { key: 'seen.noLeader', values: { from: 1 } },
  ])
  const elected = snapshotOf(clusterOf([member(1, null), member(2), member(3, { role: 'leader', term: 3 })]))
  expect(observedChanges(gone, elected)).toEqual([{ key: 'seen.leader', values: { to: 3, term: 3 } }])
})

test('a return, and then readiness, are seen each for itself', () => {
  const gone = snapshotOf(clusterOf([member(1, { role: 'leader' }), member(2), member(3, null)]))
  const back = snapshotOf(
    clusterOf([member(1, { role: 'leader' }), member(2), member(3, { isReady: false })]),
  )
  expect(observedChanges(gone, back)).toEqual([{ key: 'seen.back', values: { node: 3 } }])
  expect(observedChanges(back, before)).toEqual([{ key: 'seen.ready', values: { node: 3 } }])
})

test('a partition is seen at the node that was cut off, not at the others', () => {
  const cut = clusterOf([
    member(1, { role: 'leader', blocked: [3] }),
    member(2, { blocked: [3] }),
    member(3, { blocked: [1, 2] }),
  ])
  expect(observedChanges(before, snapshotOf(cut))).toEqual([{ key: 'seen.isolated', values: { node: 3 } }])
  expect(observedChanges(snapshotOf(cut), before)).toEqual([{ key: 'seen.healed', values: { node: 3 } }])
})

test('the end of a process is seen with its signal', () => {
  const running: ProcessStatus = { name: 'worker-1', kind: 'worker', state: 'running', starts: 1 }
  const stopped: ProcessStatus = { ...running, state: 'stopped', lastExit: 'SIGKILL' }
  expect(
    observedChanges(snapshotOf(before.cluster, [running]), snapshotOf(before.cluster, [stopped])),
  ).toEqual([{ key: 'seen.stopped', values: { name: 'worker-1', exit: 'SIGKILL' } }])
})
