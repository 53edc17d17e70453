import { describe, expect, test } from 'vitest'
import type { NodeStatus } from '../engines/cluster/node-status.ts'
import type { MemberAnswer } from './ask-members.ts'
import { diagnose, formatFindings } from './diagnose.ts'
import { formatItems, formatTxn, formatWatchBatch } from './format-items.ts'
import { formatLocks } from './format-locks.ts'
import { formatStatus, statusProblems } from './format-status.ts'
import { formatTable } from './format-table.ts'

const revisions = { createRevision: 3, modRevision: 5, version: 2, lease: 0 }

function answer(id: number, changes: Partial<NodeStatus> = {}, ahead = 0): MemberAnswer {
  const address = `127.0.0.1:740${id}`
  const status: NodeStatus = {
    id,
    clusterId: 'test',
    address,
    version: '1.0.0',
    role: id === 1 ? 'leader' : 'follower',
    term: 4,
    leader: 1,
    commitIndex: 120,
    appliedIndex: 120,
    lastIndex: 120,
    firstIndex: 1,
    persistedIndex: 120,
    revision: 90,
    compactRevision: 0,
    keys: 7,
    leases: 0,
    watchers: 0,
    clients: 0,
    uptimeMs: 61_000,
    wallMs: 0,
    isReady: true,
    groups: { copies: 1, leading: 0 },
    members: [1, 2, 3].map((each) => ({
      id: each,
      address: `127.0.0.1:740${each}`,
      isVoter: true,
      isConnected: true,
    })),
    blocked: [],
    ...changes,
  }
  return { id, address, status, clockAheadMs: ahead, roundTripMs: 1 }
}

const silent: MemberAnswer = { id: 3, address: '127.0.0.1:7403' }
const messages = (members: readonly MemberAnswer[], severity: string): string[] =>
  diagnose({ members })
    .filter((finding) => finding.severity === severity)
    .map(({ message }) => message)

describe('a table', () => {
  test('has its texts at the left and its numbers at the right', () => {
    expect(
      formatTable([
        ['ID', 'NAME'],
        [7, 'seven'],
        [123, 'x'],
      ]),
    ).toBe('ID   NAME\n  7  seven\n123  x\n')
  })
})

describe('the status', () => {
  test('shows each member with its lag behind the newest, and what is wrong below', () => {
    const text = formatStatus([answer(1), answer(2, { appliedIndex: 100 }), silent])
    expect(text.split('\n')).toEqual([
      'ID  ADDRESS         ROLE      TERM  COMMIT  APPLIED  LAG  KEYS  UP     STATE',
      ' 1  127.0.0.1:7401  leader       4     120      120    0     7  1m 1s  ready',
      ' 2  127.0.0.1:7402  follower     4     120      100   20     7  1m 1s  ready',
      ' 3  127.0.0.1:7403  -         -     -       -        -    -     -      does not answer',
      '! node 3 (127.0.0.1:7403) does not answer',
      '',
    ])
  })

  test('tells the loss of the quorum, the lack of a leader, and a drill', () => {
    expect(statusProblems([answer(1), answer(2), answer(3)])).toEqual([])
    expect(statusProblems([answer(1), { ...silent, id: 2 }, silent]).at(-1)).toContain(
      'no quorum: 1 of 3 answer, 2 are needed',
    )
    expect(statusProblems([answer(2), answer(3)])).toEqual(['no member leads at the moment'])
    const cut = answer(2, { blocked: [1, 3], problem: 'no leader is known' })
    expect(statusProblems([answer(1), cut, answer(3)])).toEqual([
      'node 2: no leader is known',
      'node 2 is cut off from 1, 3 by a fault drill',
    ])
  })
})

describe('items and changes', () => {
  test('are lines of key, tab, value, with bytes that are not text as base64', () => {
    const items = [
      { key: 'a', value: 'x y', ...revisions },
      { keyBase64: '/w==', valueBase64: 'AP8=', ...revisions },
    ]
    expect(formatItems(items)).toBe('a\tx y\nbase64:/w==\tbase64:AP8=\n')
  })

  test('changes tell their revision; a resync says that it is one', () => {
    const put = { type: 'put', item: { key: 'a', value: '1', ...revisions } } as const
    const gone = { type: 'delete', key: 'b', revision: 6 } as const
    expect(formatWatchBatch({ kind: 'events', revision: 6, events: [put, gone] })).toBe(
      '5\tput\ta\t1\n6\tdelete\tb\n',
    )
    expect(formatWatchBatch({ kind: 'progress', revision: 6 })).toBe('')
    expect(formatWatchBatch({ kind: 'resync', fromRevision: 2, revision: 6, items: [put.item] })).toBe(
      '# changes since revision 2 are compacted away; this is all there is at revision 6\n5\tput\ta\t1\n',
    )
  })

  test('a transaction tells its branch and each reply', () => {
    const replies = [
      { op: 'put' },
      { op: 'delete', deleted: 2 },
      { op: 'get', items: [{ key: 'a', value: '1', ...revisions }], count: 1, more: false },
    ] as const
    expect(formatTxn({ succeeded: false, revision: 9, replies })).toBe(
      'else, revision 9\nput: done\ndelete: 2 deleted\nget: 1 found\na\t1\n',
    )
  })
})

describe('locks', () => {
  test('show the holder with its times, and who waits, in order', () => {
    const holder = {
      token: 8,
      owner: 'ann',
      note: 'backup',
      ttlMs: 30_000,
      lease: 1,
      queuedAtMs: 1_000,
      heldSinceMs: 2_000,
      sinceRenewalMs: 500,
      endsInMs: 29_500,
    }
    const waiter = { token: 9, ttlMs: 30_000, lease: 2, queuedAtMs: 4_000 }
    expect(formatLocks([{ name: 'jobs', holder, waiters: [waiter], revision: 9 }], 10_000)).toBe(
      [
        'jobs: held by ann (backup)',
        '  token 8, ttl 30s',
        '  held for 8s',
        '  renewed 500ms ago, passes on in 29.5s without a renewal',
        '  1. waits: token 9, for 6s',
        '',
      ].join('\n'),
    )
    expect(formatLocks([], 0)).toBe('no lock is held\n')
    expect(formatLocks([{ name: 'jobs', holder: undefined, waiters: [], revision: 1 }], 0)).toBe(
      'jobs: free\n',
    )
  })
})

describe('the doctor', () => {
  test('finds nothing wrong with a healthy cluster', () => {
    const findings = diagnose({ members: [answer(1), answer(2), answer(3)] })
    expect(findings.every(({ severity }) => severity === 'ok')).toBe(true)
  })

  test('warns when the next failure stops writes, and when there are nodes that help nothing', () => {
    expect(messages([answer(1), answer(2), silent], 'warning')).toContain(
      'the next node that fails stops all writes',
    )
    expect(messages([answer(1)], 'warning')).toContain('the next node that fails stops all writes')
    expect(
      messages(
        [1, 2, 3, 4].map((id) => answer(id)),
        'warning',
      ),
    ).toEqual(['4 nodes bear no more failures than 3'])
    expect(messages([answer(1), { ...silent, id: 2 }, silent], 'problem')).toContain('there is no quorum')
  })

  test('warns of clocks that disagree, but not of a machine whose own clock is off from all of them', () => {
    expect(messages([answer(1, {}, 5_000), answer(2, {}, 5_010), answer(3, {}, 5_000)], 'warning')).toEqual(
      [],
    )
    expect(messages([answer(1, {}, -200), answer(2, {}, 400), answer(3)], 'warning')).toEqual([
      'the clock of node 2 is 600ms ahead of that of node 1',
    ])
  })

  test('tells slow disks and event loops that are held up by how bad they are', () => {
    const vitals = (maxMs: number, diskSyncP99Ms: number) => ({
      vitals: { loopDelay: { meanMs: 1, p50Ms: 1, p99Ms: 2, maxMs }, diskSyncP99Ms },
    })
    const members = [answer(1, vitals(20, 2)), answer(2, vitals(800, 30)), answer(3, vitals(20, 250))]
    expect(messages(members, 'problem')).toEqual([
      'event loop of node 2: delay p99 2 ms, longest 800 ms',
      'disk of node 3: a durable write takes p99 250 ms',
    ])
    expect(messages(members, 'warning')).toEqual(['disk of node 2: a durable write takes p99 30 ms'])
  })

  test('warns of different versions and of a member that is far behind', () => {
    const members = [1, 2, 3].map((id) => ({
      id,
      address: '',
      isVoter: true,
      isConnected: true,
      matchIndex: id === 3 ? 100 : 20_000,
      state: 'replicate' as const,
    }))
    const found = messages(
      [answer(1, { lastIndex: 20_000, members }), answer(2), answer(3, { version: '1.1.0' })],
      'warning',
    )
    expect(found).toEqual([
      'the nodes run different versions: 1.0.0 on 1, 2; 1.1.0 on 3',
      'node 3 is 19900 entries behind',
    ])
  })

  test('says with each thing that is wrong what to do, the worst first', () => {
    const findings = diagnose({ members: [answer(1), { ...silent, id: 2 }, silent] })
    const wrong = findings.filter(({ severity }) => severity !== 'ok')
    expect(wrong.length).toBeGreaterThan(0)
    expect(wrong.every(({ advice }) => advice !== undefined && advice.length > 0)).toBe(true)
    const text = formatFindings(findings)
    expect(text.indexOf('PROBLEM')).toBe(0)
    expect(text.indexOf('ok  ')).toBeGreaterThan(text.lastIndexOf('PROBLEM'))
  })
})
