import { describe, expect, test } from 'vitest'
import { Raft } from './raft.ts'
import { SeededRandom } from './raft-cluster.testkit.ts'
import { Driver, entry, ofType, sent } from './raft-driver.testkit.ts'

/** The claims of Ongaro and Ousterhout, extended version, 2014; the section is in the title. */
describe('terms', () => {
  test('5.1: a server takes on a later term that it sees, and forgets its vote', () => {
    const follower = new Driver({ term: 1, vote: 3 })
    follower.append(2, 4, [0, 0])
    expect(follower.status).toMatchObject({ term: 4, vote: 0, role: 'follower', leader: 2 })
  })

  test.each(['candidate', 'leader'] as const)('5.1: a %s that sees a later term becomes follower', (role) => {
    const server = role === 'leader' ? new Driver().becomeLeader() : new Driver().becomeCandidate()
    expect(server.status.role).toBe(role)
    server.append(2, 9, [0, 0])
    expect(server.status).toMatchObject({ role: 'follower', term: 9, leader: 2 })
  })

  test('5.1: a request of an earlier term is refused with the present term, and changes nothing', () => {
    const server = new Driver({ term: 5, log: [5] })
    const replies = sent(server.append(2, 4, [0, 0], [4]), 'appendEntriesReply')
    expect(replies).toMatchObject([{ to: 2, term: 5, success: false }])
    expect(server.terms()).toEqual([5])
    expect(sent(server.vote(3, 4, [9, 9]), 'requestVoteReply')).toMatchObject([{ term: 5, granted: false }])
  })

  test('5.1: term and vote are on the disk before the vote leaves', () => {
    const voter = new Driver({ isDiskInstant: false })
    const effects = voter.vote(2, 1, [0, 0])
    const [write] = ofType(effects, 'persist')
    expect(write?.hardState).toEqual({ term: 1, vote: 2 })
    expect(ofType(effects, 'send')).toMatchObject([{ after: write?.sequence, message: { granted: true } }])
  })

  test('5.1: a vote in the present term is on the disk before it leaves, too', () => {
    const voter = new Driver({ term: 4, isDiskInstant: false })
    const effects = voter.vote(2, 4, [0, 0])
    const [write] = ofType(effects, 'persist')
    expect(write?.hardState).toEqual({ term: 4, vote: 2 })
    expect(ofType(effects, 'send')).toMatchObject([{ after: write?.sequence, message: { granted: true } }])
  })
})

describe('leader election', () => {
  test('5.2: a server starts as follower', () => {
    expect(new Driver().status.role).toBe('follower')
  })

  test('5.2: a leader sends heartbeats, with no entries, to all followers each interval', () => {
    const leader = new Driver().becomeLeader()
    for (const follower of [2, 3]) leader.acknowledge(follower, 1)
    const beats = sent(leader.tickAt(leader.nowMs + 100), 'appendEntries')
    expect(beats.map(({ to, entries }) => [to, entries.length])).toEqual([
      [2, 0],
      [3, 0],
    ])
  })

  test('5.2: a follower that hears nothing for an election timeout campaigns in the next term and votes for itself', () => {
    const server = new Driver({ term: 3 })
    server.tickAt(999)
    expect(server.status.role).toBe('follower')
    server.becomeCandidate()
    expect(server.status).toMatchObject({ role: 'candidate', term: 4, vote: 1, leader: 0 })
    const requests = sent(server.effects, 'requestVote').filter(({ preVote }) => !preVote)
    expect(requests.map(({ to, term }) => [to, term])).toEqual([
      [2, 4],
      [3, 4],
    ])
  })

  test('5.2: a heartbeat puts the election off', () => {
    const server = new Driver()
    for (let nowMs = 0; nowMs < 5_000; nowMs += 500) {
      server.tickAt(nowMs)
      server.append(2, 1, [0, 0])
    }
    expect(server.status).toMatchObject({ role: 'follower', leader: 2 })
  })

  test.each([
    [1, [], 'leader'],
    [3, [2], 'leader'],
    [3, [], 'candidate'],
    [5, [2, 3], 'leader'],
    [5, [2], 'candidate'],
  ] as const)(
    '5.2: of %i voters, with votes of %j besides its own a candidate is %s',
    (size, granting, role) => {
      const server = new Driver({ voters: Array.from({ length: size }, (_, at) => at + 1) }).becomeCandidate()
      for (const from of granting) {
        server.receive('requestVoteReply', from, server.status.term, { preVote: false, granted: true })
      }
      expect(server.status.role).toBe(role)
    },
  )

  test('5.2: a candidate refused by a majority becomes follower', () => {
    const server = new Driver().becomeCandidate()
    for (const from of [2, 3]) server.receive('requestVoteReply', from, 1, { preVote: false, granted: false })
    expect(server.status).toMatchObject({ role: 'follower', term: 1 })
  })

  test('5.2: the vote of one voter counts once, and a vote of an earlier term not at all', () => {
    const server = new Driver({ voters: [1, 2, 3, 4, 5] }).becomeCandidate()
    for (const term of [1, 1, 1])
      server.receive('requestVoteReply', 2, term, { preVote: false, granted: true })
    server.receive('requestVoteReply', 3, 0, { preVote: false, granted: true })
    expect(server.status.role).toBe('candidate')
  })

  test('5.2: a candidate counts its own vote only once it is on the disk', () => {
    const server = new Driver({ voters: [1], isDiskInstant: false })
    server.tickAt(0)
    expect(server.status.role).toBe('candidate')
    server.persist()
    expect(server.status.role).toBe('leader')
  })

  test('5.2: a voter votes for one candidate a term, the first to come, and repeats that vote', () => {
    const voter = new Driver()
    const granted = (from: number) => sent(voter.vote(from, 1, [0, 0]), 'requestVoteReply')[0]?.granted
    expect([granted(2), granted(3), granted(2)]).toEqual([true, false, true])
  })

  test('5.2: the vote survives a restart', () => {
    const voter = new Driver({ term: 1, vote: 2 })
    expect(sent(voter.vote(3, 1, [9, 1]), 'requestVoteReply')).toMatchObject([{ granted: false }])
  })

  test('5.2: a candidate that hears from the leader of its term follows it', () => {
    const server = new Driver().becomeCandidate()
    server.append(3, 1, [0, 0])
    expect(server.status).toMatchObject({ role: 'follower', term: 1, leader: 3, vote: 1 })
  })

  test('5.2: election timeouts are drawn anew between one and two times the timeout', () => {
    const deadlines = Array.from({ length: 50 }, (_, seed) => new Driver({ seed }).status.nextDeadlineMs)
    expect(Math.min(...deadlines)).toBeGreaterThanOrEqual(1_000)
    expect(Math.max(...deadlines)).toBeLessThan(2_000)
    expect(new Set(deadlines).size).toBeGreaterThan(45)
  })

  test('5.2: an election without outcome is held again', () => {
    const server = new Driver().becomeCandidate()
    server.becomeCandidate()
    expect(server.status).toMatchObject({ role: 'candidate', term: 2 })
  })

  test('5.2: a lone voter leads at once and commits when its disk has the entry', () => {
    const server = new Driver({ voters: [1] })
    server.tickAt(0)
    expect(server.status).toMatchObject({ role: 'leader', commitIndex: 1 })
    server.propose('a')
    expect(server.status.commitIndex).toBe(2)
  })
})

describe('log replication', () => {
  test('5.3: a leader appends proposals to its log and sends them to all followers, with what comes before', () => {
    const leader = new Driver().becomeLeader()
    for (const follower of [2, 3]) leader.acknowledge(follower, 1)
    const messages = sent(leader.propose('a', 'b'), 'appendEntries')
    expect(messages).toMatchObject([
      { to: 2, prevLogIndex: 1, prevLogTerm: 1, entries: [{ index: 2 }, { index: 3 }] },
      { to: 3, prevLogIndex: 1, prevLogTerm: 1, entries: [{ index: 2 }, { index: 3 }] },
    ])
  })

  test('5.3: an entry is committed once a majority has it, and not before', () => {
    const leader = new Driver({ voters: [1, 2, 3, 4, 5] }).becomeLeader()
    leader.propose('a')
    leader.acknowledge(2, 2)
    expect(leader.status.commitIndex).toBe(0)
    const [apply] = ofType(leader.acknowledge(3, 2), 'apply')
    expect(apply?.entries.map(({ index }) => index)).toEqual([1, 2])
  })

  test('5.3: followers learn the commit index and apply in order', () => {
    const follower = new Driver()
    follower.append(2, 1, [0, 0], [1, 1, 1], 2)
    const [apply] = ofType(follower.effects, 'apply')
    expect(apply?.entries.map(({ index }) => index)).toEqual([1, 2])
    follower.append(2, 1, [3, 1], [], 3)
    expect(follower.status.commitIndex).toBe(3)
  })

  test('5.3: a follower commits no further than the log is known to agree', () => {
    const follower = new Driver({ term: 1, log: [1, 1, 1] })
    follower.append(2, 2, [1, 1], [], 3)
    expect(follower.status.commitIndex).toBe(1)
  })

  test('5.3: a follower refuses entries whose predecessor it lacks', () => {
    const follower = new Driver({ term: 1, log: [1] })
    const replies = sent(follower.append(2, 2, [3, 2], [2]), 'appendEntriesReply')
    expect(replies).toMatchObject([{ success: false, rejectedIndex: 3, conflictTerm: 0, conflictIndex: 2 }])
    expect(follower.terms()).toEqual([1])
  })

  test('5.3: a follower names the term in conflict and its first index of it', () => {
    const follower = new Driver({ term: 3, log: [1, 2, 2, 2] })
    const replies = sent(follower.append(2, 4, [4, 3], [4]), 'appendEntriesReply')
    expect(replies).toMatchObject([{ success: false, conflictTerm: 2, conflictIndex: 2 }])
  })

  // Figure 7 of the paper: the logs that a follower may have when a leader of term 8 with this log comes to power.
  const leaderLog = [1, 1, 1, 4, 4, 5, 5, 6, 6, 6]
  test.each([
    ['a', [1, 1, 1, 4, 4, 5, 5, 6, 6]],
    ['b', [1, 1, 1, 4]],
    ['c', [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6]],
    ['d', [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7]],
    ['e', [1, 1, 1, 4, 4, 4, 4]],
    ['f', [1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3]],
  ] as const)('5.3: a leader brings follower %s of figure 7 to its own log, a term a refusal', (_, log) => {
    const leader = new Driver({ term: 7, log: leaderLog }).becomeLeader()
    const follower = new Driver({ id: 2, term: 7, log })
    let refusals = 0
    let queue = sent(leader.effects, 'appendEntries').filter(({ to }) => to === 2)
    for (let turn = 0; turn < 20 && queue.length > 0; turn++) {
      const replies = queue.flatMap((message) =>
        sent(follower.step({ type: 'receive', message }), 'appendEntriesReply'),
      )
      refusals += replies.filter(({ success }) => !success).length
      queue = replies.flatMap((message) => sent(leader.step({ type: 'receive', message }), 'appendEntries'))
      queue = queue.filter(({ to }) => to === 2)
    }
    expect(follower.terms()).toEqual([...leaderLog, 8])
    // Heartbeat and probe of each attempt may both be refused; terms in conflict: two at most.
    expect(refusals).toBeLessThanOrEqual(4)
  })

  test('5.3: entries that the follower has already, late or doubled, remove nothing', () => {
    const follower = new Driver()
    follower.append(2, 1, [0, 0], [1, 1, 1])
    const effects = follower.append(2, 1, [0, 0], [1])
    expect(ofType(effects, 'persist')).toEqual([])
    expect(follower.terms()).toEqual([1, 1, 1])
    expect(sent(effects, 'appendEntriesReply')).toMatchObject([{ success: true, matchIndex: 1 }])
  })

  test('5.3: a leader never removes or overwrites entries of its own log', () => {
    const leader = new Driver({ term: 2, log: [1, 2] }).becomeLeader()
    leader.refuse(2, 2, 1, 1)
    leader.propose('a')
    expect(leader.terms()).toEqual([1, 2, 3, 3])
  })

  test('5.3: a follower answers only when the entries are on its disk', () => {
    const follower = new Driver({ isDiskInstant: false })
    const effects = follower.append(2, 1, [0, 0], [1])
    const [write] = ofType(effects, 'persist')
    expect(ofType(effects, 'send')).toMatchObject([{ after: write?.sequence, message: { matchIndex: 1 } }])
  })
})

describe('safety', () => {
  test.each([
    ['later last term', [1, 3], true],
    ['same last term, longer', [4, 2], true],
    ['same', [3, 2], true],
    ['same last term, shorter', [2, 2], false],
    ['earlier last term, longer', [9, 1], false],
  ] as const)('5.4.1: a voter with log 1 2 2 asked by a candidate with %s: %j -> %s', (_, last, granted) => {
    const voter = new Driver({ term: 2, log: [1, 2, 2] })
    expect(sent(voter.vote(2, 4, last), 'requestVoteReply')).toMatchObject([{ term: 4, granted }])
    expect(voter.status.vote).toBe(granted ? 2 : 0)
  })

  test('5.4.1: a candidate states the last entry of its log', () => {
    const server = new Driver({ term: 4, log: [1, 3] }).becomeCandidate()
    for (const request of sent(server.effects, 'requestVote')) {
      expect(request).toMatchObject({ lastLogIndex: 2, lastLogTerm: 3 })
    }
  })

  test('5.4.2: a leader commits only entries of its own term by counting', () => {
    const leader = new Driver({ term: 2, log: [1, 2] }).becomeLeader()
    leader.acknowledge(2, 2)
    leader.acknowledge(3, 2)
    expect(leader.status.commitIndex).toBe(0)
    leader.acknowledge(2, 3)
    expect(leader.status.commitIndex).toBe(3)
  })

  test('5.4.3: a committed entry is never overwritten: a message that would do it stops the node', () => {
    const follower = new Driver()
    follower.append(2, 1, [0, 0], [1, 1], 2)
    expect(() => follower.append(3, 2, [1, 2], [2, 2, 2])).toThrow('committed entries')
  })

  test('5.2: a second leader in one term stops the node', () => {
    const follower = new Driver()
    follower.append(2, 1, [0, 0])
    expect(() => follower.append(3, 1, [0, 0])).toThrow('one leader a term')
  })
})

describe('snapshots', () => {
  const snapshot = { index: 5, term: 2, configuration: { voters: [1, 2, 3] } }
  const chunk = { snapshot, transferId: 7, offset: 0, data: new Uint8Array(3), done: true, round: 1 }

  test('7: a leader whose log no longer reaches back sends its snapshot', () => {
    const leader = new Driver({ term: 2, snapshot: { index: 5, term: 2 }, log: [2] }).becomeLeader()
    const effects = leader.refuse(2, 6, 0, 1)
    expect(ofType(effects, 'sendSnapshot')).toEqual([{ type: 'sendSnapshot', to: 2 }])
    expect(leader.status.progress.get(2)?.state).toBe('snapshot')
    expect(leader.raft.snapshotMessage(2, 1, snapshot, 0, new Uint8Array(0), true)).toMatchObject({
      to: 2,
      term: 3,
    })
  })

  test('7: after the snapshot the leader goes on with the entries behind it', () => {
    const leader = new Driver({ term: 2, snapshot: { index: 5, term: 2 }, log: [2] }).becomeLeader()
    leader.refuse(2, 6, 0, 1)
    const effects = leader.receive('installSnapshotReply', 2, 3, {
      transferId: 1,
      offset: 0,
      installed: true,
      index: 5,
      round: 0,
    })
    expect(sent(effects, 'appendEntries')).toMatchObject([
      { prevLogIndex: 5, entries: [{ index: 6 }, { index: 7 }] },
    ])
    expect(ofType(effects, 'snapshotProgress')).toHaveLength(1)
  })

  test('7: a follower replaces a log that the snapshot does not fit into', () => {
    const follower = new Driver({ term: 1, log: [1, 1, 1, 1, 1, 1] })
    expect(ofType(follower.receive('installSnapshot', 2, 2, chunk), 'acceptSnapshot')).toHaveLength(1)
    const effects = follower.step({ type: 'snapshotInstalled', from: 2, transferId: 7, snapshot })
    expect(ofType(effects, 'persist')).toMatchObject([{ snapshot, entries: [] }])
    expect(sent(effects, 'installSnapshotReply')).toMatchObject([
      { installed: true, index: 5, transferId: 7 },
    ])
    expect(follower.status).toMatchObject({
      firstIndex: 6,
      lastIndex: 5,
      lastTerm: 2,
      commitIndex: 5,
      appliedIndex: 5,
    })
  })

  test('7: a follower whose log has the last entry of the snapshot keeps its log and needs no transfer', () => {
    const follower = new Driver({ term: 2, log: [1, 1, 2, 2, 2, 2] })
    const effects = follower.receive('installSnapshot', 2, 2, chunk)
    expect(ofType(effects, 'acceptSnapshot')).toEqual([])
    expect(sent(effects, 'installSnapshotReply')).toMatchObject([{ installed: true, index: 5 }])
    expect(follower.status).toMatchObject({ lastIndex: 6, commitIndex: 5 })
  })

  test('7: a snapshot of an earlier term is refused', () => {
    const follower = new Driver({ term: 4 })
    const effects = follower.receive('installSnapshot', 2, 2, chunk)
    expect(ofType(effects, 'acceptSnapshot')).toEqual([])
    expect(sent(effects, 'installSnapshotReply')).toMatchObject([{ term: 4, installed: false }])
  })

  test('7: a log is cut behind a snapshot, less what is kept for slow followers', () => {
    const server = new Driver({ voters: [1], term: 1, log: [1, 1, 1, 1, 1, 1] })
    server.tickAt(0)
    const at = { index: 6, term: 1, configuration: { voters: [1] } }
    const effects = server.step({ type: 'compacted', snapshot: at, keepEntries: 2 })
    expect(ofType(effects, 'compactLog')).toEqual([{ type: 'compactLog', index: 4 }])
    expect(server.status.firstIndex).toBe(5)
    expect([3, 4, 5].map((index) => server.raft.term(index))).toEqual([undefined, 1, 1])
  })

  test('7: entries found on the disk that the snapshot has replaced are dropped there too', () => {
    const stale = new Raft(
      { id: 1 },
      {
        hardState: { term: 2, vote: 0 },
        snapshot,
        entries: [entry(1, 1)],
        initialConfiguration: { voters: [1, 2, 3] },
      },
      new SeededRandom(1),
      0,
    )
    expect(stale.step({ type: 'tick' }, 0)).toMatchObject([{ type: 'persist', snapshot, entries: [] }])
    expect(stale.status()).toMatchObject({ firstIndex: 6, lastIndex: 5 })
  })
})

describe('restart', () => {
  test('a snapshot that reached the disk before the term in which it came brings that term', () => {
    const server = new Driver({ term: 1, vote: 2, snapshot: { index: 5, term: 3 }, isDiskInstant: false })
    expect(server.status).toMatchObject({ term: 3, vote: 0 })
    expect(server.tickAt(0)).toMatchObject([{ type: 'persist', hardState: { term: 3, vote: 0 } }])
  })
})

describe('client interaction', () => {
  test('8: a new leader commits an empty entry of its term first', () => {
    const leader = new Driver({ term: 1, log: [1] }).becomeLeader()
    expect(leader.raft.entries(2, 2, 1)).toMatchObject([{ index: 2, term: 2, kind: 'empty' }])
  })

  test('8: a server that does not lead takes no proposal', () => {
    const effects = new Driver().propose('a')
    expect(effects).toEqual([{ type: 'proposalsDropped', id: 1, reason: 'not-leader' }])
  })
})
