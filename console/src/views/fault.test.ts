import { expect, test } from 'vitest'
import { clusterOf, member } from '../live/snapshots.test-support.ts'
import { risks } from './fault.ts'

const three = clusterOf([member(1, { role: 'leader' }), member(2), member(3)])

test('a first fault in a cluster of three needs no question', () => {
  expect(risks(2, 'kill', three, 1)).toEqual([])
})

test('a second one would take the quorum', () => {
  const two = clusterOf([member(1, { role: 'leader' }), member(2), member(3, null)])
  expect(risks(2, 'isolate', two, 1)).toEqual([{ key: 'risk.quorum', values: { node: 2 } }])
})

test('a member that is cut off counts as away', () => {
  const cut = clusterOf([
    member(1, { role: 'leader', blocked: [3] }),
    member(2, { blocked: [3] }),
    member(3, { blocked: [1, 2], isReady: false }),
  ])
  expect(risks(2, 'kill', cut, 1)).toEqual([{ key: 'risk.quorum', values: { node: 2 } }])
  expect(risks(3, 'kill', cut, 1)).toEqual([])
})

test('killing the node that serves the page is asked about, cutting it off is not', () => {
  expect(risks(1, 'kill', three, 1)).toEqual([{ key: 'risk.self', values: { node: 1 } }])
  expect(risks(1, 'isolate', three, 1)).toEqual([])
})
