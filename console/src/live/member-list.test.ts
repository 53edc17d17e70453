import { describe, expect, test } from 'vitest'
import { memberLines } from './member-list.ts'
import { clusterOf, member } from './snapshots.test-support.ts'

const seen = [
  { id: 1, address: 'a:1', isVoter: true, isConnected: true },
  { id: 2, address: 'a:2', isVoter: false, isConnected: true, matchIndex: 250, learnerForMs: 9_000 },
]
const cluster = clusterOf([member(1, { role: 'leader', lastIndex: 1_000, members: seen }), member(2)])

describe('the lines of the members', () => {
  test('tell how much of the log a learner has, and for how long it has been catching up', () => {
    const lines = memberLines(cluster, {
      leader: 1,
      members: [
        { id: 1, role: 'voter', state: 'joined', isAnswering: true },
        { id: 2, role: 'learner', state: 'joined', isAnswering: true, behind: 750 },
        { id: 3, address: 'a:3', role: 'none', state: 'invited', isAnswering: false },
        { id: 4, role: 'none', state: 'removed', isAnswering: false },
      ],
    })
    expect(lines).toMatchObject([
      { id: 1, isLeader: true, caughtUp: undefined },
      { id: 2, isLeader: false, caughtUp: 0.25, catchingUpMs: 9_000 },
      { id: 3, state: 'invited', address: 'a:3' },
    ])
  })

  test('are of those that are known while no leader answers', () => {
    const alone = clusterOf([member(1, { members: seen }), member(2, null)])
    expect(memberLines(alone, undefined)).toMatchObject([
      { id: 1, role: 'voter', isAnswering: true },
      { id: 2, role: 'learner', isAnswering: false, caughtUp: undefined },
    ])
  })

  test('show how the others see a member, at its worst, and who sees it so', () => {
    const alive = { state: 'alive', forMs: 9_000, incarnation: 1 } as const
    const failed = { state: 'failed', forMs: 2_000, incarnation: 1, suspectedBy: [1] } as const
    const seenFrom = (sight: typeof alive | typeof failed) => ({
      members: [{ id: 3, address: 'a:3', isVoter: true, isConnected: true, seen: sight }],
    })
    const three = clusterOf([
      member(1, seenFrom(failed)),
      member(2, seenFrom(alive)),
      member(3, seenFrom(alive)),
    ])
    expect(memberLines(three, undefined)[2]).toMatchObject({ sight: { state: 'failed' }, seenBy: [1] })
    expect(memberLines(three, undefined)[1]).toMatchObject({ sight: undefined, seenBy: [] })
  })
})
