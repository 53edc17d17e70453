import { describe, expect, test } from 'vitest'
import { Driver, ofType, sent } from './raft-driver.testkit.ts'

/** A leader whose followers have everything, so that it replicates and has committed in its term. */
function establishedLeader(start: ConstructorParameters<typeof Driver>[0] = {}): Driver {
  const leader = new Driver(start).becomeLeader()
  const { lastIndex } = leader.status
  for (const follower of leader.voters)
    if (follower !== leader.status.id) leader.acknowledge(follower, lastIndex)
  leader.clear()
  return leader
}

function roundOf(leader: Driver): number {
  return Math.max(...sent(leader.effects, 'appendEntries').map(({ round }) => round))
}

describe('pre-vote', () => {
  test('9.6: a server asks in its next term without entering it', () => {
    const server = new Driver({ term: 3, log: [2] })
    const effects = server.tickAt(server.status.nextDeadlineMs)
    expect(sent(effects, 'requestVote')).toMatchObject(
      [2, 3].map((to) => ({ to, term: 4, preVote: true, lastLogIndex: 1 })),
    )
    expect(server.status).toMatchObject({ role: 'pre-candidate', term: 3, vote: 0 })
    expect(ofType(effects, 'persist')).toEqual([])
  })

  test('9.6: a server that no majority would vote for goes on as follower, in its old term', () => {
    const server = new Driver({ term: 3 })
    server.tickAt(server.status.nextDeadlineMs)
    for (const from of [2, 3]) server.receive('requestVoteReply', from, 3, { preVote: true, granted: false })
    expect(server.status).toMatchObject({ role: 'follower', term: 3 })
  })

  test('9.6: a voter that hears from a leader says no, and is not moved to the term asked about', () => {
    const voter = new Driver()
    voter.append(2, 1, [0, 0])
    voter.nowMs = 999
    expect(sent(voter.vote(3, 2, [9, 1], { preVote: true }), 'requestVoteReply')).toMatchObject([
      { term: 1, granted: false },
    ])
    expect(voter.status).toMatchObject({ term: 1, leader: 2 })
  })

  test('9.6: a voter that has not heard from a leader for an election timeout says yes, and gives no vote by it', () => {
    const voter = new Driver()
    voter.append(2, 1, [0, 0])
    voter.nowMs = 1_000
    expect(sent(voter.vote(3, 2, [9, 1], { preVote: true }), 'requestVoteReply')).toMatchObject([
      { term: 2, granted: true },
    ])
    expect(voter.status).toMatchObject({ term: 1, vote: 0 })
  })

  test('a follower asks within two heartbeats when the process of its leader has ended, and votes for another that does', () => {
    const follower = new Driver()
    follower.append(2, 1, [0, 0])
    follower.step({ type: 'peerUnreachable', peer: 2, isGone: true })
    expect(follower.status.leader).toBe(0)
    expect(follower.status.nextDeadlineMs - follower.nowMs).toBeLessThanOrEqual(200)
    const reply = sent(follower.vote(3, 2, [0, 0], { preVote: true }), 'requestVoteReply')
    expect(reply).toMatchObject([{ granted: true }])
    expect(sent(follower.tickAt(follower.status.nextDeadlineMs), 'requestVote')).toMatchObject(
      [2, 3].map((to) => ({ to, preVote: true })),
    )
  })

  test('a follower whose connection to the leader alone was refused goes back to it, with its whole patience', () => {
    const follower = new Driver()
    follower.append(2, 1, [0, 0])
    follower.step({ type: 'peerUnreachable', peer: 2, isGone: true })
    follower.append(2, 1, [0, 0])
    expect(follower.status.leader).toBe(2)
    expect(follower.status.nextDeadlineMs - follower.nowMs).toBeGreaterThanOrEqual(1_000)
  })

  test('the end of the process of a member that does not lead changes nothing', () => {
    const follower = new Driver()
    follower.append(2, 1, [0, 0])
    const before = follower.status.nextDeadlineMs
    follower.step({ type: 'peerUnreachable', peer: 3, isGone: true })
    expect(follower.status).toMatchObject({ leader: 2, nextDeadlineMs: before })
  })

  test('9.6: two pre-candidates may say yes to each other', () => {
    const server = new Driver()
    server.tickAt(server.status.nextDeadlineMs)
    expect(sent(server.vote(2, 1, [0, 0], { preVote: true }), 'requestVoteReply')).toMatchObject([
      { granted: true },
    ])
  })

  test('9.6: no yes to a log that is behind', () => {
    const voter = new Driver({ term: 2, log: [2] })
    expect(sent(voter.vote(3, 3, [5, 1], { preVote: true }), 'requestVoteReply')).toMatchObject([
      { granted: false },
    ])
  })
})

describe('check-quorum', () => {
  test('6.2: a leader that has not heard from a quorum for an election timeout steps down', () => {
    const leader = establishedLeader()
    const heardMs = leader.nowMs
    leader.tickAt(heardMs + 999)
    expect(leader.status.role).toBe('leader')
    leader.tickAt(heardMs + 1_000)
    expect(leader.status).toMatchObject({ role: 'follower', leader: 0, term: 1 })
  })

  test('6.2: a leader that one of two followers answers goes on', () => {
    const leader = establishedLeader()
    for (let turn = 0; turn < 30; turn++) {
      leader.tickAt(leader.nowMs + 100)
      leader.acknowledge(3, 1)
    }
    expect(leader.status.role).toBe('leader')
  })

  test('6.2: after a stall it steps down before it handles anything else', () => {
    const leader = establishedLeader()
    leader.nowMs += 5_000
    const effects = leader.propose('late')
    expect(ofType(effects, 'proposalsDropped')).toMatchObject([{ reason: 'not-leader' }])
    expect(leader.status.role).toBe('follower')
  })

  test('6.2: after a stall a reader is not served on the strength of an earlier round', () => {
    const leader = establishedLeader()
    leader.step({ type: 'read', id: 5 })
    const round = roundOf(leader)
    leader.nowMs += 5_000
    const effects = leader.acknowledge(2, 1, round)
    expect(ofType(effects, 'readDropped')).toMatchObject([{ id: 5 }])
    expect(ofType(effects, 'readReady')).toEqual([])
  })

  test('4.2.3: a voter in touch with a leader ignores a vote request of a later term, and so does the leader', () => {
    const voter = new Driver()
    voter.append(2, 1, [0, 0])
    expect(voter.vote(3, 7, [9, 6])).toEqual([])
    expect(voter.status.term).toBe(1)
    const leader = establishedLeader()
    expect(leader.vote(3, 7, [9, 6])).toEqual([])
    expect(leader.status.role).toBe('leader')
  })
})

describe('reads', () => {
  test('6.4: a reader waits for a round of heartbeats begun after it came, and gets the commit index of then', () => {
    const leader = establishedLeader()
    leader.tickAt(leader.nowMs + 100)
    const earlier = roundOf(leader)
    leader.step({ type: 'read', id: 5 })
    expect(ofType(leader.acknowledge(2, 1, earlier), 'readReady')).toEqual([])
    expect(ofType(leader.acknowledge(2, 1, earlier + 1), 'readReady')).toEqual([
      { type: 'readReady', id: 5, index: 1 },
    ])
  })

  test('6.4: a leader that has not committed in its term makes readers wait until it has', () => {
    const leader = new Driver({ term: 1, log: [1] }).becomeLeader()
    leader.step({ type: 'read', id: 5 })
    leader.tickAt(leader.nowMs + 100)
    expect(ofType(leader.acknowledge(2, 1, roundOf(leader)), 'readReady')).toEqual([])
    leader.acknowledge(2, 2, 0)
    expect(ofType(leader.acknowledge(2, 2, roundOf(leader)), 'readReady')).toEqual([
      { type: 'readReady', id: 5, index: 2 },
    ])
  })

  test('6.4: readers that come during a round share the next one', () => {
    const leader = establishedLeader()
    leader.step({ type: 'read', id: 1 })
    const first = roundOf(leader)
    leader.clear()
    for (const id of [2, 3, 4]) leader.step({ type: 'read', id })
    expect(sent(leader.effects, 'appendEntries')).toEqual([])
    expect(ofType(leader.acknowledge(2, 1, first), 'readReady').map(({ id }) => id)).toEqual([1])
    expect(roundOf(leader)).toBe(first + 1)
    expect(ofType(leader.acknowledge(3, 1, first + 1), 'readReady').map(({ id }) => id)).toEqual([2, 3, 4])
  })

  test('6.4: a lone voter serves readers at once', () => {
    const leader = new Driver({ voters: [1] })
    leader.tickAt(0)
    expect(leader.step({ type: 'read', id: 5 })).toMatchObject([{ type: 'readReady', id: 5, index: 1 }])
  })

  test('6.4: readers past the bound are dropped', () => {
    const leader = establishedLeader({ options: { pendingReadsMax: 2 } })
    for (const id of [1, 2, 3]) leader.step({ type: 'read', id })
    expect(ofType(leader.effects, 'readDropped')).toEqual([{ type: 'readDropped', id: 3 }])
  })

  test('6.4: a follower asks the leader, once for all who wait', () => {
    const follower = new Driver()
    follower.append(2, 1, [0, 0])
    const [question] = sent(follower.step({ type: 'read', id: 1 }), 'readIndex')
    expect(question).toMatchObject({ to: 2 })
    for (const id of [2, 3]) expect(follower.step({ type: 'read', id })).toEqual([])
    const effects = follower.receive('readIndexReply', 2, 1, { id: question?.id ?? 0, index: 9 })
    expect(ofType(effects, 'readReady')).toEqual([{ type: 'readReady', id: 1, index: 9 }])
    expect(sent(effects, 'readIndex')).toHaveLength(1)
  })

  test('6.4: a leader answers a follower after the round, and refuses when it steps down', () => {
    const leader = establishedLeader()
    leader.receive('readIndex', 3, 1, { id: 77 })
    expect(sent(leader.acknowledge(2, 1, roundOf(leader)), 'readIndexReply')).toMatchObject([
      { to: 3, id: 77, index: 1 },
    ])
    leader.receive('readIndex', 3, 1, { id: 78 })
    expect(sent(leader.tickAt(leader.nowMs + 1_000), 'readIndexReply')).toMatchObject([
      { to: 3, id: 78, index: 0 },
    ])
  })

  test('6.4: a follower without a leader drops readers, and so does one whose leader is silent or replaced', () => {
    const dropped = (effects: Parameters<typeof ofType>[0]) =>
      ofType(effects, 'readDropped').map(({ id }) => id)
    const follower = new Driver()
    expect(dropped(follower.step({ type: 'read', id: 1 }))).toEqual([1])
    follower.append(2, 1, [0, 0])
    follower.step({ type: 'read', id: 2 })
    follower.step({ type: 'read', id: 3 })
    expect(dropped(follower.append(3, 2, [0, 0]))).toEqual([2, 3])
    follower.step({ type: 'read', id: 4 })
    expect(dropped(follower.tickAt(follower.nowMs + 1_000))).toEqual([4])
  })

  test('6.4: a restarted follower takes no answer to a question of its earlier life', () => {
    const questions = [1, 2].map((seed) => {
      const follower = new Driver({ seed })
      follower.append(2, 1, [0, 0])
      return sent(follower.step({ type: 'read', id: 1 }), 'readIndex')[0]?.id ?? 0
    })
    expect(questions[0]).not.toBe(questions[1])
    const follower = new Driver({ seed: 2 })
    follower.append(2, 1, [0, 0])
    follower.step({ type: 'read', id: 1 })
    expect(follower.receive('readIndexReply', 2, 1, { id: questions[0] ?? 0, index: 1 })).toEqual([])
  })
})

describe('leadership transfer', () => {
  test('3.10: the leader tells a target that has all entries to campaign, and takes no more proposals', () => {
    const leader = establishedLeader()
    const effects = leader.step({ type: 'transferLeadership', to: 3 })
    expect(sent(effects, 'timeoutNow')).toMatchObject([{ to: 3, term: 1 }])
    expect(ofType(leader.propose('a'), 'proposalsDropped')).toMatchObject([{ reason: 'transferring' }])
  })

  test('3.10: a target that lags is brought up first', () => {
    const leader = establishedLeader()
    leader.propose('a')
    expect(sent(leader.step({ type: 'transferLeadership', to: 3 }), 'timeoutNow')).toEqual([])
    expect(sent(leader.acknowledge(3, 2), 'timeoutNow')).toHaveLength(1)
  })

  test('3.10: it is given up after an election timeout', () => {
    const leader = establishedLeader()
    leader.step({ type: 'transferLeadership', to: 3 })
    for (let turn = 0; turn < 10; turn++) {
      leader.tickAt(leader.nowMs + 100)
      leader.acknowledge(2, 1)
    }
    expect(ofType(leader.propose('a'), 'proposalsAppended')).toHaveLength(1)
  })

  test('3.10: the target campaigns at once, and voters do not refuse it because they hear from the leader', () => {
    const target = new Driver({ id: 3 })
    target.append(1, 1, [0, 0])
    const requests = sent(target.receive('timeoutNow', 1, 1, {}), 'requestVote')
    expect(requests).toMatchObject([1, 2].map((to) => ({ to, term: 2, preVote: false, transfer: true })))
    const voter = new Driver({ id: 2 })
    voter.append(1, 1, [0, 0])
    expect(sent(voter.vote(3, 2, [0, 0], { transfer: true }), 'requestVoteReply')).toMatchObject([
      { granted: true },
    ])
  })
})

describe('performance', () => {
  test('10.2.1: a leader sends entries while its own disk works, and counts itself only afterwards', () => {
    const leader = new Driver({ isDiskInstant: false })
    leader.becomeCandidate().persist()
    leader.winVotes()
    const sends = ofType(leader.effects, 'send').filter(({ message }) => message.type === 'appendEntries')
    expect(sends.length).toBeGreaterThan(0)
    expect(sends.every(({ after }) => after === 0)).toBe(true)
    leader.acknowledge(2, 1)
    expect(leader.status.commitIndex).toBe(0)
    leader.persist()
    expect(leader.status.commitIndex).toBe(1)
  })

  test('10.2.1: an entry is committed by a majority of followers while the disk of the leader hangs', () => {
    const leader = new Driver({ isDiskInstant: false })
    leader.becomeCandidate().persist()
    leader.winVotes()
    for (const follower of [2, 3]) leader.acknowledge(follower, 1)
    expect(leader.status).toMatchObject({ commitIndex: 1, persistedIndex: 0 })
  })

  test('10.2.1: a write does not count for entries that were overwritten while it was under way', () => {
    const follower = new Driver({ isDiskInstant: false })
    follower.append(2, 1, [0, 0], [1, 1])
    const first = follower.sequence
    follower.append(3, 2, [1, 1], [2])
    const second = follower.sequence
    follower.persist(first)
    expect(follower.status.persistedIndex).toBe(1)
    follower.persist(second)
    expect(follower.status.persistedIndex).toBe(2)
  })

  test('10.2.2: messages go out ahead of their replies, up to the window', () => {
    const leader = establishedLeader({ options: { inflightMessagesMax: 2 } })
    for (const text of ['a', 'b', 'c', 'd']) leader.propose(text)
    const firsts = sent(leader.effects, 'appendEntries').filter(({ to }) => to === 2)
    expect(firsts.map(({ entries }) => entries.length)).toEqual([1, 1])
    const [next] = sent(leader.acknowledge(2, 2), 'appendEntries').filter(({ entries }) => entries.length > 0)
    expect(next?.entries.map(({ index }) => index)).toEqual([4, 5])
  })

  test('10.2.2: the window is bounded in bytes, a message by its own bound, but one entry always goes', () => {
    const options = { messageBytesMax: 100, inflightBytesMax: 250 }
    const leader = establishedLeader({ options })
    leader.propose('x'.repeat(500))
    leader.propose('small')
    const sizes = sent(leader.effects, 'appendEntries').filter(({ to }) => to === 2)
    expect(sizes.map(({ entries }) => entries.map(({ index }) => index))).toEqual([[2]])
  })

  test('10.2.2: after a broken connection the leader finds out anew where the follower is', () => {
    const leader = establishedLeader()
    leader.propose('a')
    leader.step({ type: 'peerUnreachable', peer: 2 })
    expect(leader.status.progress.get(2)).toMatchObject({ state: 'probe', nextIndex: 2, inflightMessages: 0 })
  })

  test('10.2.2: entries lost on the way are noticed by the next heartbeat', () => {
    const leader = establishedLeader()
    leader.propose('a')
    const [beat] = sent(leader.tickAt(leader.nowMs + 100), 'appendEntries').filter(({ to }) => to === 2)
    expect(beat).toMatchObject({ prevLogIndex: 2, entries: [] })
    const effects = leader.refuse(2, 2, 0, 2)
    expect(sent(effects, 'appendEntries')).toMatchObject([
      { to: 2, prevLogIndex: 1, entries: [{ index: 2 }] },
    ])
  })

  test('proposals past the bound of uncommitted bytes are dropped until entries are committed', () => {
    const leader = establishedLeader({ options: { uncommittedBytesMax: 100 } })
    leader.propose('x'.repeat(200))
    expect(ofType(leader.propose('y'), 'proposalsDropped')).toMatchObject([{ reason: 'overloaded' }])
    leader.acknowledge(2, 2)
    expect(ofType(leader.propose('y'), 'proposalsAppended')).toHaveLength(1)
  })

  test('entries that a late snapshot shows to be committed weigh on the bound no more', () => {
    const leader = new Driver({ options: { uncommittedBytesMax: 100 } })
    const snapshot = { index: 3, term: 1, configuration: { voters: [1, 2, 3] } }
    const chunk = { snapshot, transferId: 7, offset: 0, data: new Uint8Array(1), done: true, round: 1 }
    leader.receive('installSnapshot', 2, 1, chunk)
    // While it is being installed another leader brings the entries, and then this node is elected.
    leader.append(3, 2, [0, 0], [1, 1, 1])
    leader.becomeLeader()
    leader.step({ type: 'snapshotInstalled', from: 2, transferId: 7, snapshot })
    expect(leader.status).toMatchObject({ role: 'leader', commitIndex: 3 })
    leader.acknowledge(2, 4)
    expect(leader.status.commitIndex).toBe(4)
    expect(ofType(leader.propose('x'.repeat(40)), 'proposalsAppended')).toHaveLength(1)
    expect(ofType(leader.propose('y'.repeat(40)), 'proposalsDropped')).toHaveLength(1)
  })

  test('an idle group learns of a commit at once, a heartbeat is answered before the disk has the entries', () => {
    const leader = establishedLeader()
    leader.propose('a')
    expect(sent(leader.acknowledge(2, 2), 'appendEntries').map(({ leaderCommit }) => leaderCommit)).toEqual([
      2, 2,
    ])
    const follower = new Driver({ id: 2, isDiskInstant: false })
    follower.append(1, 1, [0, 0], [1])
    follower.persist()
    follower.append(1, 1, [1, 1], [1])
    const answers = ofType(follower.append(1, 1, [2, 1]), 'send')
    expect(answers).toMatchObject([{ after: 0, message: { success: true, matchIndex: 1 } }])
  })

  test('with a delay, followers are told of a commit when it has passed, and only those that no entries have told', () => {
    const leader = establishedLeader({ options: { announceDelayMs: 1 } })
    const commits = () =>
      sent(leader.effects, 'appendEntries').map(({ to, leaderCommit }) => [to, leaderCommit])
    leader.propose('a')
    expect(sent(leader.acknowledge(2, 2), 'appendEntries')).toEqual([])
    const dueMs = leader.nowMs + 1
    expect(leader.status.nextDeadlineMs).toBe(dueMs)
    leader.clear()
    leader.tickAt(dueMs - 0.5)
    expect(commits()).toEqual([])
    leader.tickAt(dueMs)
    expect(commits()).toEqual([
      [2, 2],
      [3, 2],
    ])
    leader.clear()
    leader.propose('b')
    leader.acknowledge(2, 3)
    leader.propose('c')
    leader.clear()
    leader.tickAt(leader.nowMs + 1)
    expect(commits()).toEqual([])
  })
})
