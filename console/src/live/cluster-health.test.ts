import { describe, expect, test } from 'vitest'
import { clusterHealth, isIsolated, lagOf, leaderOf, quorumOf } from './cluster-health.ts'
import { clusterOf, member } from './snapshots.test-support.ts'

describe('the health of a cluster', () => {
  test('is good when every member is ready and one leads', () => {
    const cluster = clusterOf([member(1, { role: 'leader' }), member(2), member(3)])
    expect(clusterHealth(cluster, true)).toMatchObject({
      level: 'ok',
      problems: [],
      title: { key: 'health.ok', values: { ready: 3, total: 3, leader: 1 } },
    })
  })

  test('is degraded with the last quorum when one of three does not answer, and says which and what to do', () => {
    const cluster = clusterOf([member(1, { role: 'leader' }), member(2), member(3, null)])
    const health = clusterHealth(cluster, true)
    expect(health).toMatchObject({ level: 'warn', meaning: { key: 'health.degradedLast' } })
    expect(health.problems).toMatchObject([
      { member: 3, what: { key: 'problem.gone' }, toDo: { key: 'problem.goneToDoLocal' } },
    ])
  })

  test('has a member to spare when one of five does not answer', () => {
    const members = [member(1, { role: 'leader' }), member(2), member(3), member(4), member(5, null)]
    expect(clusterHealth(clusterOf(members), false)).toMatchObject({
      level: 'warn',
      meaning: { key: 'health.degradedSpare' },
      problems: [{ toDo: { key: 'problem.goneToDo' } }],
    })
  })

  test('is bad without a quorum, and that is told apart from an election under way', () => {
    const noQuorum = clusterOf([member(1, { isReady: false, leader: 0 }), member(2, null), member(3, null)])
    expect(clusterHealth(noQuorum, true)).toMatchObject({ level: 'bad', title: { key: 'health.noQuorum' } })
    const election = clusterOf([
      member(1, { isReady: false, leader: 0 }),
      member(2, { isReady: false, leader: 0 }),
      member(3, null),
    ])
    expect(clusterHealth(election, true)).toMatchObject({ level: 'bad', title: { key: 'health.noLeader' } })
  })

  test('counts the voters only: a learner that is down endangers nothing', () => {
    const seen = [1, 2, 3, 4].map((id) => ({ id, address: '', isVoter: id < 4, isConnected: id < 4 }))
    const cluster = clusterOf([
      member(1, { role: 'leader', members: seen }),
      member(2),
      member(3),
      member(4, null),
    ])
    expect(clusterHealth(cluster, false)).toMatchObject({
      level: 'warn',
      meaning: { key: 'health.degradedSpare', values: { total: 3, ready: 3, quorum: 2 } },
    })
  })

  test('blames an isolated member, not those that it is cut off from', () => {
    const cluster = clusterOf([
      member(1, { role: 'leader', blocked: [3] }),
      member(2, { blocked: [3] }),
      member(3, { blocked: [1, 2], isReady: false, problem: 'no leader' }),
    ])
    expect(isIsolated(3, cluster)).toBe(true)
    expect(isIsolated(1, cluster)).toBe(false)
    expect(clusterHealth(cluster, true).problems).toMatchObject([
      { member: 3, what: { key: 'problem.blocked' }, detail: 'no leader' },
    ])
  })

  test('speaks of a follower only when it is far behind', () => {
    const near = clusterOf([
      member(1, { role: 'leader', commitIndex: 5_000, appliedIndex: 5_000 }),
      member(2, { appliedIndex: 3_000 }),
    ])
    expect(clusterHealth(near, true).problems).toEqual([])
    const far = clusterOf([
      member(1, { role: 'leader', commitIndex: 5_000, appliedIndex: 5_000 }),
      member(2, { appliedIndex: 2_999 }),
    ])
    expect(clusterHealth(far, true).problems).toMatchObject([
      { member: 2, what: { key: 'problem.lag', values: { lag: 2_001 } } },
    ])
  })
})

describe('reading a cluster', () => {
  test('of two that say they lead, the one with the higher term does', () => {
    const cluster = clusterOf([
      member(1, { role: 'leader', term: 3 }),
      member(2, { role: 'leader', term: 4 }),
      member(3),
    ])
    expect(leaderOf(cluster)).toBe(2)
  })

  test('the lag is counted from the highest commit index that anyone knows', () => {
    const cluster = clusterOf([
      member(1, { commitIndex: 90, appliedIndex: 90 }),
      member(2, { appliedIndex: 60 }),
      member(3, null),
    ])
    expect(cluster.members.map((each) => lagOf(each, cluster))).toEqual([0, 30, undefined])
  })

  test('a quorum is more than half', () => {
    expect([1, 2, 3, 4, 5].map(quorumOf)).toEqual([1, 2, 2, 3, 3])
  })
})
