import { describe, expect, test } from 'vitest'
import { statusProblems } from '../node/diagnosis/member-answer.ts'
import { answer, silent } from '../node/diagnosis/member-answer.test-support.ts'
import { formatCreated } from './group-command.ts'
import { formatItems, formatTxn, formatWatchBatch } from './format-items.ts'
import { formatLocks } from './format-locks.ts'
import { formatStatus } from './format-status.ts'
import { formatTable } from './format-table.ts'

const revisions = { createRevision: 3, modRevision: 5, version: 2, lease: 0 }

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
      'ID  ADDRESS         ROLE      TERM  COMMIT  APPLIED  LAG  KEYS  UP     SEEN  STATE',
      ' 1  127.0.0.1:7401  leader       4     120      120    0     7  1m 1s  -     ready',
      ' 2  127.0.0.1:7402  follower     4     120      100   20     7  1m 1s  -     ready',
      ' 3  127.0.0.1:7403  -         -     -       -        -    -     -      -     does not answer',
      '! node 3 (127.0.0.1:7403) does not answer',
      '',
    ])
  })

  test('tells the loss of the quorum, the lack of a leader, and a drill', () => {
    expect(statusProblems([answer(1), answer(2), answer(3)])).toEqual([])
    expect(statusProblems([answer(1), { ...silent, id: 2 }, silent]).at(-1)?.message).toContain(
      'no quorum: 1 of 3 answer, 2 are needed',
    )
    expect(statusProblems([answer(2), answer(3)])).toEqual([
      { kind: 'no-leader', message: 'no member leads at the moment' },
    ])
    const cut = answer(2, { blocked: [1, 3], problem: 'no leader is known' })
    expect(statusProblems([answer(1), cut, answer(3)]).map(({ message }) => message)).toEqual([
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
      mode: 'write',
      owner: 'ann',
      note: 'backup',
      ttlMs: 30_000,
      lease: 1,
      queuedAtMs: 1_000,
      heldSinceMs: 2_000,
      sinceRenewalMs: 500,
      endsInMs: 29_500,
    } as const
    const waiter = { token: 9, mode: 'write', ttlMs: 30_000, lease: 2, queuedAtMs: 4_000 } as const
    expect(
      formatLocks([{ name: 'jobs', holder, holders: [holder], waiters: [waiter], revision: 9 }], 10_000),
    ).toBe(
      [
        'jobs: held by ann (backup)',
        '  token 8, ttl 30s',
        '  held for 8s',
        '  renewed 500ms ago, passes on in 29.5s without a renewal',
        '  1. waits: token 9, for 6s',
        '',
      ].join('\n'),
    )
    const readers = [
      { ...holder, mode: 'read' },
      { ...waiter, mode: 'read', heldSinceMs: 9_000 },
    ] as const
    expect(
      formatLocks([{ name: 'jobs', holder: readers[0], holders: readers, waiters: [], revision: 9 }], 10_000),
    ).toBe(
      [
        'jobs: read by 2',
        '  reads: ann (backup), token 8, ttl 30s, held for 8s, renewed 500ms ago, passes on in 29.5s without a renewal',
        '  reads: token 9, token 9, ttl 30s, held for 1s',
        '',
      ].join('\n'),
    )
    expect(formatLocks([], 0)).toBe('no lock is held\n')
    expect(formatLocks([{ name: 'jobs', holder: undefined, holders: [], waiters: [], revision: 1 }], 0)).toBe(
      'jobs: free\n',
    )
  })
})

test('a group that has fewer copies than were asked for says so', () => {
  const created = { name: 'g', url: 'althing://h:1', replicas: 3, isServing: true }
  const line = 'group g serves on nodes 1,2,3: althing://h:1/g\n'
  expect(formatCreated({ ...created, members: [1, 2, 3] })).toBe(line)
  expect(formatCreated({ ...created, members: [1] })).toBe(
    'group g serves on nodes 1: althing://h:1/g\nIt has 1 of 3 copies: the others are made when members join.\n',
  )
})
