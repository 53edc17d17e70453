import { describe, expect, test } from 'vitest'
import { Driver, ofType, sent } from './raft-driver.testkit.ts'

const options = { leaseDriftMax: 0.1 }

/** Has committed in its term; no round of heartbeats is answered yet beyond the first. */
function leaseLeader(more: ConstructorParameters<typeof Driver>[0] = {}): Driver {
  const leader = new Driver({ options, ...more }).becomeLeader()
  for (const follower of leader.voters) {
    if (follower !== leader.status.id) leader.acknowledge(follower, 1, 0)
  }
  leader.clear()
  return leader
}

/** A round begins; its number. */
function beginRound(leader: Driver): number {
  leader.clear()
  leader.tickAt(leader.status.nextDeadlineMs)
  return Math.max(...sent(leader.effects, 'appendEntries').map(({ round }) => round))
}

const isServedAtOnce = (leader: Driver, id = 1) =>
  ofType(leader.step({ type: 'read', id }), 'readReady').length === 1

describe('lease reads (thesis section 6.4.1)', () => {
  test('are off unless asked for: each read takes a round', () => {
    const leader = leaseLeader({ options: {} })
    const round = beginRound(leader)
    for (const follower of [2, 3]) leader.acknowledge(follower, 1, round)
    expect(isServedAtOnce(leader)).toBe(false)
  })

  test('are served without a round from the moment that a quorum has answered one', () => {
    const leader = leaseLeader()
    const round = beginRound(leader)
    expect(isServedAtOnce(leader)).toBe(false)
    leader.acknowledge(3, 1, round)
    leader.clear()
    expect(leader.step({ type: 'read', id: 2 })).toEqual([{ type: 'readReady', id: 2, index: 1 }])
    const answers = sent(leader.receive('readIndex', 2, 1, { id: 9 }), 'readIndexReply')
    expect(answers).toMatchObject([{ to: 2, id: 9, index: 1 }])
  })

  test('are measured from the sending of the round, however late the answer', () => {
    const leader = leaseLeader()
    const sentMs = beginRoundAt(leader)
    leader.nowMs = sentMs.ms + 850
    leader.acknowledge(2, 1, sentMs.round)
    expect(isServedAtOnce(leader)).toBe(true)
    leader.nowMs = sentMs.ms + 901
    expect(isServedAtOnce(leader, 2)).toBe(false)
  })

  test('need an entry committed in the own term first', () => {
    const leader = new Driver({ options, term: 1, log: [1] }).becomeLeader()
    const round = beginRound(leader)
    leader.acknowledge(2, 1, round)
    expect(isServedAtOnce(leader)).toBe(false)
    leader.acknowledge(2, 2, round)
    expect(isServedAtOnce(leader, 2)).toBe(true)
  })

  test('end when leadership is handed over, and do not come back in that term: the order to campaign may be late', () => {
    const leader = leaseLeader()
    leader.acknowledge(2, 1, beginRound(leader))
    leader.step({ type: 'transferLeadership', to: 3 })
    expect(isServedAtOnce(leader)).toBe(false)
    for (let turn = 0; turn < 15; turn++) leader.acknowledge(2, 1, beginRound(leader))
    expect(leader.status.role).toBe('leader')
    expect(ofType(leader.propose('a'), 'proposalsAppended')).toHaveLength(1)
    expect(isServedAtOnce(leader, 2)).toBe(false)
  })

  test('begin anew when the members change: the new ones have promised nothing yet', () => {
    const leader = leaseLeader()
    leader.acknowledge(2, 1, beginRound(leader))
    expect(isServedAtOnce(leader)).toBe(true)
    leader.change({ voters: [1, 2, 3, 4] })
    expect(isServedAtOnce(leader, 2)).toBe(false)
  })

  test('of one leader leave no room for another: a follower votes for nobody for an election timeout after it answered', () => {
    const follower = new Driver({ options })
    follower.nowMs = 5_000
    follower.append(2, 1, [0, 0])
    follower.nowMs += 999
    // A term that it learned elsewhere does not free it from its promise.
    follower.receive('requestVoteReply', 3, 6, { preVote: true, granted: false })
    expect(follower.status).toMatchObject({ term: 6, leader: 0 })
    const votes = () => [
      ...sent(follower.vote(3, 6, [9, 5]), 'requestVoteReply'),
      ...sent(follower.vote(3, 7, [9, 5], { preVote: true }), 'requestVoteReply'),
    ]
    expect(votes().map(({ granted }) => granted)).toEqual([false, false])
    expect(follower.vote(3, 8, [9, 5])).toEqual([])
    follower.nowMs += 1
    expect(votes().map(({ granted }) => granted)).toEqual([true, true])
  })

  test('hold after a restart of a follower, and of the only voter, which may have answered just before', () => {
    const follower = new Driver({ options, term: 1 })
    expect(follower.vote(3, 2, [9, 1])).toEqual([])
    follower.nowMs = 1_000
    expect(sent(follower.vote(3, 2, [9, 1]), 'requestVoteReply')).toMatchObject([{ granted: true }])
    const only = new Driver({ options, voters: [1], term: 1 })
    only.tickAt(999)
    expect(only.status.role).toBe('follower')
    only.tickAt(only.status.nextDeadlineMs)
    expect(only.status.role).toBe('leader')
  })

  test('need a share of drift below 1', () => {
    for (const leaseDriftMax of [-0.1, 1]) {
      expect(() => new Driver({ options: { leaseDriftMax } })).toThrow(
        'leaseDriftMax is 0 or more, and below 1',
      )
    }
  })
})

function beginRoundAt(leader: Driver): { readonly ms: number; readonly round: number } {
  const round = beginRound(leader)
  return { ms: leader.nowMs, round }
}
