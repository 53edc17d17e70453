import { describe, expect, test } from 'vitest'
import { configurationEntry, Driver, ofType, sent } from './raft-driver.testkit.ts'
import type { Configuration } from './types.ts'

/** A leader in term 1 that has committed its first entry, and whose followers have it. */
function establishedLeader(start: ConstructorParameters<typeof Driver>[0] = {}): Driver {
  const leader = new Driver(start).becomeLeader()
  for (const follower of leader.voters) {
    if (follower !== leader.status.id) leader.acknowledge(follower, leader.status.lastIndex)
  }
  leader.clear()
  return leader
}

/** Heartbeats that these followers answer. */
function beat(leader: Driver, times: number, followers: readonly number[]): void {
  for (let turn = 0; turn < times; turn++) {
    leader.tickAt(leader.nowMs + 100)
    for (const follower of followers) {
      const matchIndex = leader.status.progress.get(follower)?.matchIndex ?? 0
      leader.acknowledge(follower, matchIndex)
    }
  }
}

const of = (voters: number[], more: Partial<Configuration> = {}): Configuration => ({ voters, ...more })

describe('changes of the members', () => {
  test('4.1: a configuration is in use from the moment that it is in the log', () => {
    const leader = establishedLeader()
    const effects = leader.change(of([1, 2, 3, 4]), 7)
    expect(ofType(effects, 'configurationAppended')).toEqual([
      { type: 'configurationAppended', id: 7, index: 2, term: 1 },
    ])
    expect(ofType(effects, 'configurationChanged')).toEqual([
      { type: 'configurationChanged', configuration: of([1, 2, 3, 4]), index: 2 },
    ])
    expect(leader.status).toMatchObject({ configuration: of([1, 2, 3, 4]), configurationIndex: 2 })
    expect(new Set(sent(effects, 'appendEntries').map(({ to }) => to))).toEqual(new Set([2, 3, 4]))
    // Two of four are not a majority.
    leader.acknowledge(2, 2)
    expect(leader.status.commitIndex).toBe(1)
    leader.acknowledge(4, 2)
    expect(leader.status.commitIndex).toBe(2)
  })

  test('4.1: a follower uses it when it gets it, and goes back when its entry is overwritten', () => {
    const follower = new Driver({ id: 2 })
    const change = configurationEntry(2, 1, of([1, 2]))
    follower.append(1, 1, [0, 0], [1, change])
    expect(follower.status.configuration).toEqual(of([1, 2]))
    const effects = follower.append(3, 2, [1, 1], [2])
    expect(ofType(effects, 'configurationChanged')).toEqual([
      { type: 'configurationChanged', configuration: of([1, 2, 3]), index: 0 },
    ])
    expect(follower.status).toMatchObject({ configuration: of([1, 2, 3]), configurationIndex: 0 })
  })

  test('4.1: one change at a time', () => {
    const leader = establishedLeader()
    leader.change(of([1, 2, 3, 4]))
    const refused = () => ofType(leader.change(of([1, 2]), 9), 'configurationRefused')
    expect(refused()).toEqual([{ type: 'configurationRefused', id: 9, reason: 'in-progress' }])
    for (const follower of [2, 3]) leader.acknowledge(follower, 2)
    expect(refused()).toEqual([])
  })

  test('4.1, erratum of 2015: no change before the leader has committed an entry of its term', () => {
    const leader = new Driver().becomeLeader()
    expect(ofType(leader.change(of([1, 2])), 'configurationRefused')).toMatchObject([{ reason: 'not-ready' }])
    leader.acknowledge(2, 1)
    expect(ofType(leader.change(of([1, 2])), 'configurationRefused')).toEqual([])
  })

  test('4.1: only a leader changes the members, and not while it hands over', () => {
    expect(ofType(new Driver().change(of([1])), 'configurationRefused')).toMatchObject([
      { reason: 'not-leader' },
    ])
    const leader = establishedLeader()
    leader.step({ type: 'transferLeadership', to: 2 })
    expect(ofType(leader.change(of([1, 2])), 'configurationRefused')).toMatchObject([
      { reason: 'transferring' },
    ])
  })

  test('4.1: after a start the newest configuration is in use: of the log, of the snapshot, or the first', () => {
    const log = [1, configurationEntry(2, 1, of([1, 2])), 1]
    expect(new Driver({ term: 1, log }).status).toMatchObject({
      configuration: of([1, 2]),
      configurationIndex: 2,
    })
    const snapshot = { index: 9, term: 1 }
    const fromSnapshot = new Driver({ term: 1, snapshot, configuration: of([1, 4, 5]), log: [1] })
    expect(fromSnapshot.status).toMatchObject({ configuration: of([1, 4, 5]), configurationIndex: 9 })
    expect(new Driver({ term: 1, log: [1] }).status.configuration).toEqual(of([1, 2, 3]))
  })

  test('4.1: a snapshot carries the configuration of its index, not one that came later', () => {
    const leader = establishedLeader()
    leader.step({ type: 'applied', index: 1 })
    leader.change(of([1, 2]))
    expect(leader.raft.configurationAt(1)).toEqual(of([1, 2, 3]))
    leader.acknowledge(2, 2)
    leader.step({ type: 'applied', index: 2 })
    expect(leader.raft.configurationAt(2)).toEqual(of([1, 2]))
  })
})

describe('learners', () => {
  test('4.2.1: count neither for commits nor for votes, nor for being in touch', () => {
    const configuration = of([1, 2], { learners: [3, 4] })
    const leader = establishedLeader({ configuration })
    leader.propose('a')
    for (const learner of [3, 4]) leader.acknowledge(learner, 2)
    expect(leader.status.commitIndex).toBe(1)
    beat(leader, 11, [3, 4])
    expect(leader.status.role).toBe('follower')
    const candidate = new Driver({ configuration }).becomeCandidate()
    for (const learner of [3, 4]) {
      candidate.receive('requestVoteReply', learner, 1, { preVote: false, granted: true })
    }
    expect(candidate.status.role).toBe('candidate')
    expect(sent(candidate.effects, 'requestVote').every(({ to }) => to === 2)).toBe(true)
  })

  test('4.2.1: neither campaign nor take over leadership', () => {
    const learner = new Driver({ id: 3, configuration: of([1, 2], { learners: [3] }) })
    expect(learner.status.nextDeadlineMs).toBe(Number.POSITIVE_INFINITY)
    learner.append(1, 1, [0, 0], [1])
    expect(learner.tickAt(9_000)).toEqual([])
    expect(sent(learner.receive('timeoutNow', 1, 1, {}), 'requestVote')).toEqual([])
    const leader = establishedLeader({ configuration: of([1, 2], { learners: [3] }) })
    leader.acknowledge(3, 1)
    expect(leader.step({ type: 'transferLeadership', to: 3 })).toEqual([])
    expect(ofType(leader.propose('a'), 'proposalsAppended')).toHaveLength(1)
  })

  test('4.2.1: one that does not know yet that it was made a voter votes all the same', () => {
    const learner = new Driver({ id: 3, configuration: of([1, 2], { learners: [3] }) })
    const replies = sent(learner.vote(2, 1, [5, 1]), 'requestVoteReply')
    expect(replies).toMatchObject([{ to: 2, granted: true }])
  })

  test('4.2.1: a voter that becomes a learner in a joint change votes in the outgoing set until it is left', () => {
    const leader = establishedLeader()
    leader.change(of([1, 4], { learners: [2] }))
    expect(leader.status.configuration).toEqual(of([1, 4], { outgoingVoters: [1, 2, 3], learners: [2] }))
    leader.acknowledge(4, 2)
    expect(leader.status.commitIndex).toBe(1)
    leader.acknowledge(2, 2)
    expect(leader.status.commitIndex).toBe(2)
    expect(leader.status.configuration).toEqual(of([1, 4], { learners: [2] }))
  })
})

describe('joint consensus', () => {
  test('4.3: a change of more than one voter takes majorities of both sets', () => {
    const leader = establishedLeader()
    leader.change(of([1, 4, 5]))
    expect(leader.status.configuration).toEqual(of([1, 4, 5], { outgoingVoters: [1, 2, 3] }))
    for (const newcomer of [4, 5]) leader.acknowledge(newcomer, 2)
    expect(leader.status.commitIndex).toBe(1)
    const effects = leader.acknowledge(2, 2)
    expect(leader.status.commitIndex).toBe(2)
    expect(ofType(effects, 'configurationChanged')).toMatchObject([
      { configuration: of([1, 4, 5]), index: 3 },
    ])
  })

  test('4.3: a candidate needs both sets', () => {
    const configuration = of([1, 4, 5], { outgoingVoters: [1, 2, 3] })
    const grant = (candidate: Driver, from: number) =>
      candidate.receive('requestVoteReply', from, 1, { preVote: false, granted: true })
    const candidate = new Driver({ configuration }).becomeCandidate()
    for (const from of [4, 5]) grant(candidate, from)
    expect(candidate.status.role).toBe('candidate')
    grant(candidate, 3)
    expect(candidate.status.role).toBe('leader')
    const other = new Driver({ configuration }).becomeCandidate()
    for (const from of [2, 3]) grant(other, from)
    expect(other.status.role).toBe('candidate')
  })

  test('4.3: a leader in touch with one set only steps down', () => {
    const leader = establishedLeader({ configuration: of([1, 4, 5], { outgoingVoters: [1, 2, 3] }) })
    // Its own second election timeout: the entries that would leave the joint configuration stay uncommitted.
    beat(leader, 11, [4, 5])
    expect(leader.status.role).toBe('follower')
  })

  test('4.3: a leader that is elected with a joint configuration leaves it once it has committed in its term', () => {
    const joint = of([1, 4, 5], { outgoingVoters: [1, 2, 3] })
    const leader = new Driver({ term: 1, log: [1, configurationEntry(2, 1, joint)] }).becomeLeader()
    expect(leader.status).toMatchObject({ role: 'leader', configuration: joint })
    for (const follower of [2, 4]) leader.acknowledge(follower, 3)
    expect(leader.status).toMatchObject({
      commitIndex: 3,
      configuration: of([1, 4, 5]),
      configurationIndex: 4,
    })
  })

  test('4.3: it is not left while leadership is handed over, for the target to have all entries; but when that fails', () => {
    const leader = establishedLeader()
    leader.change(of([1, 2, 4, 5]))
    leader.step({ type: 'transferLeadership', to: 2 })
    for (const follower of [2, 3, 4]) leader.acknowledge(follower, 2)
    expect(leader.status).toMatchObject({ commitIndex: 2, configurationIndex: 2 })
    beat(leader, 10, [2, 3, 4])
    expect(leader.status.configuration).toEqual(of([1, 2, 4, 5]))
  })
})

describe('a leader that is removed', () => {
  test('4.2.2: leads until that is committed, does not count itself, then steps down and hands over', () => {
    const leader = establishedLeader()
    leader.change(of([2, 3]))
    leader.acknowledge(2, 2)
    expect(leader.status).toMatchObject({ role: 'leader', commitIndex: 1 })
    const effects = leader.acknowledge(3, 2)
    expect(leader.status).toMatchObject({ role: 'follower', leader: 0, commitIndex: 2 })
    expect(sent(effects, 'timeoutNow')).toMatchObject([{ to: 2 }])
    expect(leader.tickAt(60_000)).toEqual([])
  })

  test('4.2.2: may have to campaign while its removal is not known to be committed: nobody else can win', () => {
    // Of two, it has the entry that removes it; the other has not.
    const removed = new Driver({ voters: [1, 2], term: 1, log: [1, configurationEntry(2, 1, of([2]))] })
    expect(sent(removed.vote(2, 2, [1, 1]), 'requestVoteReply')).toMatchObject([{ granted: false }])
    removed.becomeCandidate()
    // Its own vote is none: the configuration in its log is without it.
    expect(removed.status.role).not.toBe('leader')
    removed.receive('requestVoteReply', 2, 3, { preVote: true, granted: true })
    removed.receive('requestVoteReply', 2, 3, { preVote: false, granted: true })
    expect(removed.status.role).toBe('leader')
    removed.acknowledge(2, 3)
    expect(removed.status).toMatchObject({ role: 'follower', commitIndex: 3 })
    expect(removed.status.nextDeadlineMs).toBe(Number.POSITIVE_INFINITY)
  })
})

describe('members that left, and that are not told yet', () => {
  test('4.2.3: the one that left hears of it for an election timeout after the commit, then nothing', () => {
    const leader = establishedLeader()
    leader.change(of([1, 2]))
    leader.acknowledge(2, 2)
    expect(
      sent(leader.effects, 'appendEntries')
        .filter(({ to }) => to === 3)
        .at(-1),
    ).toBeDefined()
    beat(leader, 12, [2])
    leader.clear()
    beat(leader, 2, [2])
    expect(sent(leader.effects, 'appendEntries').filter(({ to }) => to === 3)).toEqual([])
    expect([...leader.status.progress.keys()]).toEqual([2])
  })

  test('4.2.3: its answers count no more from the moment that it is removed', () => {
    const leader = establishedLeader({ voters: [1, 2, 3, 4] })
    leader.change(of([1, 2, 3]))
    leader.acknowledge(4, 2)
    expect(leader.status.commitIndex).toBe(1)
  })

  test('4.2.3: a removed server that does not know it cannot disturb those who hear from a leader', () => {
    const voter = new Driver({ id: 2, configuration: of([1, 2]) })
    voter.append(1, 1, [0, 0])
    expect(voter.vote(3, 9, [9, 8])).toEqual([])
    expect(sent(voter.vote(3, 9, [9, 8], { preVote: true }), 'requestVoteReply')).toMatchObject([
      { granted: false, term: 1 },
    ])
  })

  test('a node that belongs to nothing yet waits, and takes the log or a snapshot from whoever leads', () => {
    const waiting = new Driver({ id: 4, configuration: of([]) })
    expect(waiting.status.nextDeadlineMs).toBe(Number.POSITIVE_INFINITY)
    expect(waiting.tickAt(60_000)).toEqual([])
    const effects = waiting.append(1, 3, [0, 0], [2, configurationEntry(2, 3, of([1, 4]))], 2)
    expect(sent(effects, 'appendEntriesReply')).toMatchObject([{ success: true, matchIndex: 2 }])
    expect(waiting.status.configuration).toEqual(of([1, 4]))
    expect(waiting.status.nextDeadlineMs).toBeGreaterThan(60_000)
    const other = new Driver({ id: 4, configuration: of([]) })
    const snapshot = { index: 7, term: 2, configuration: of([1, 4]) }
    const chunk = { snapshot, transferId: 1, offset: 0, data: new Uint8Array(1), done: true, round: 1 }
    expect(ofType(other.receive('installSnapshot', 1, 3, chunk), 'acceptSnapshot')).toHaveLength(1)
    other.step({ type: 'snapshotInstalled', from: 1, transferId: 1, snapshot })
    expect(other.status).toMatchObject({ configuration: of([1, 4]), configurationIndex: 7, commitIndex: 7 })
  })
})

describe('a member that gave up its copy and comes back', () => {
  const returned = (more: ConstructorParameters<typeof Driver>[0] = {}): Driver =>
    new Driver({ id: 3, voters: [], term: 5, votingFloor: { index: 7, term: 4 }, ...more })

  test('5.4.1: gives its vote to nobody whose log is behind the one that it gave up', () => {
    const granted = (last: [number, number], preVote: boolean): unknown =>
      sent(returned().vote(1, 6, last, { preVote }), 'requestVoteReply')[0]?.granted
    for (const preVote of [true, false]) {
      expect(granted([6, 4], preVote)).toBe(false)
      expect(granted([90, 3], preVote)).toBe(false)
      expect(granted([7, 4], preVote)).toBe(true)
      expect(granted([1, 5], preVote)).toBe(true)
    }
    const copy = returned()
    copy.append(1, 5, [0, 0], [1, 1, 2])
    expect(sent(copy.vote(2, 6, [5, 4], { transfer: true }), 'requestVoteReply')).toMatchObject([
      { granted: false },
    ])
  })

  test('does not vote twice in a term in which it has voted', () => {
    expect(sent(returned({ vote: 2 }).vote(1, 5, [9, 5]), 'requestVoteReply')).toMatchObject([
      { granted: false },
    ])
  })

  test('does not campaign by an old configuration that it meets on its way, however often told to', () => {
    const copy = returned()
    copy.append(1, 5, [0, 0], [configurationEntry(1, 1, of([3])), 4, 4])
    expect(copy.status).toMatchObject({ configuration: of([3]), nextDeadlineMs: Number.POSITIVE_INFINITY })
    copy.tickAt(10_000)
    copy.receive('timeoutNow', 1, 5, {})
    expect(copy.status).toMatchObject({ role: 'follower', term: 5 })
    copy.append(1, 5, [3, 4], [4, 4, 4, 4])
    copy.tickAt(20_000)
    expect(copy.status.role).toBe('leader')
  })

  test('a leader takes no answer to what it sent before that member was there', () => {
    const leader = establishedLeader({ voters: [1, 2, 3, 4] })
    leader.change(of([1, 2, 3]))
    for (const follower of [2, 3]) leader.acknowledge(follower, 2)
    beat(leader, 20, [2, 3])
    const before = leader.round
    leader.change(of([1, 2, 3, 4]))
    leader.acknowledge(4, 3, before)
    expect(leader.status.progress.get(4)).toMatchObject({ matchIndex: 0 })
    leader.acknowledge(4, 3)
    expect(leader.status.progress.get(4)).toMatchObject({ matchIndex: 3 })
  })

  test('a leader knows nothing of one that comes back at once either', () => {
    const leader = establishedLeader({ voters: [1, 2, 3, 4] })
    leader.change(of([1, 2, 3]))
    for (const follower of [2, 3, 4]) leader.acknowledge(follower, 2)
    leader.change(of([1, 2, 3, 4]))
    expect(leader.status.progress.get(4)).toMatchObject({ matchIndex: 0, state: 'probe' })
  })
})

describe('a follower that has lost data', () => {
  test('is reported once, when it refuses in answer to a later round what it had acknowledged as durable', () => {
    const leader = establishedLeader()
    leader.propose('a')
    leader.acknowledge(2, 2)
    leader.step({ type: 'peerUnreachable', peer: 2 })
    const refuse = (round: number) =>
      leader.receive('appendEntriesReply', 2, 1, {
        success: false,
        matchIndex: 0,
        rejectedIndex: 2,
        conflictTerm: 0,
        conflictIndex: 1,
        round,
      })
    // It may have been sent before the entries were acknowledged.
    expect(ofType(refuse(1), 'peerLostData')).toEqual([])
    leader.tickAt(leader.nowMs + 100)
    leader.tickAt(leader.nowMs + 100)
    expect(ofType(refuse(3), 'peerLostData')).toEqual([{ type: 'peerLostData', peer: 2, matchIndex: 2 }])
    expect(ofType(refuse(3), 'peerLostData')).toEqual([])
    expect(leader.status.progress.get(2)).toMatchObject({ hasLostData: true })
  })
})

describe('a node that should not lead', () => {
  test('hands over to the voter that is furthest along', () => {
    const leader = establishedLeader({ configuration: of([1, 2, 3], { learners: [4] }) })
    leader.propose('a')
    leader.acknowledge(3, 2)
    leader.acknowledge(4, 2)
    const effects = leader.step({ type: 'setEligible', eligible: false })
    expect(sent(effects, 'timeoutNow')).toMatchObject([{ to: 3 }])
    expect(leader.status.isEligible).toBe(false)
  })

  test('steps down after an election timeout when nobody has taken over', () => {
    const leader = establishedLeader()
    leader.step({ type: 'setEligible', eligible: false })
    beat(leader, 9, [2, 3])
    expect(leader.status.role).toBe('leader')
    beat(leader, 1, [2, 3])
    expect(leader.status.role).toBe('follower')
    expect(leader.tickAt(60_000)).toEqual([])
  })

  test('does not campaign, for a timeout nor when told to, until it is told that it may', () => {
    const voter = new Driver()
    voter.step({ type: 'setEligible', eligible: false })
    expect(voter.status.nextDeadlineMs).toBe(Number.POSITIVE_INFINITY)
    expect(voter.tickAt(60_000)).toEqual([])
    voter.append(2, 1, [0, 0])
    expect(sent(voter.receive('timeoutNow', 2, 1, {}), 'requestVote')).toEqual([])
    voter.nowMs += 10_000
    expect(voter.step({ type: 'setEligible', eligible: true })).toEqual([])
    expect(voter.status.nextDeadlineMs).toBeGreaterThanOrEqual(voter.nowMs + 1_000)
    expect(voter.becomeCandidate().status.role).toBe('candidate')
  })

  test('gives up a candidacy, and still votes', () => {
    const voter = new Driver().becomeCandidate()
    voter.step({ type: 'setEligible', eligible: false })
    expect(voter.status.role).toBe('follower')
    expect(sent(voter.vote(2, 5, [9, 4]), 'requestVoteReply')).toMatchObject([{ granted: true }])
  })

  test('leads all the same where it is the only voter', () => {
    const only = new Driver({ voters: [1] })
    only.tickAt(0)
    only.step({ type: 'setEligible', eligible: false })
    only.tickAt(5_000)
    expect(only.status.role).toBe('leader')
    const fresh = new Driver({ voters: [1] })
    fresh.step({ type: 'setEligible', eligible: false })
    fresh.tickAt(0)
    expect(fresh.status.role).toBe('leader')
  })
})

describe('heartbeats', () => {
  test('fall on the multiples of the interval, whenever the reign began, so that groups beat together', () => {
    const leaders = [1, 2, 3].map((seed) => establishedLeader({ seed }))
    expect(new Set(leaders.map(({ nowMs }) => nowMs % 100)).size).toBe(3)
    for (const leader of leaders) {
      const dueMs = leader.status.nextDeadlineMs
      expect([dueMs % 100, dueMs - leader.nowMs <= 100]).toEqual([0, true])
      leader.step({ type: 'read', id: 1 })
      expect(leader.status.nextDeadlineMs).toBe(dueMs)
    }
  })
})
