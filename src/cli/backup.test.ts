import { describe, expect, test } from 'vitest'
import { planBackup, type BackupSource } from './backup-plan.ts'
import type { TlsOptions } from '../world/tls-options.ts'
import { formatBytes, formatRestored, formatTaken, formatVerified } from './format-backup.ts'

const source = (group: number, node: number, role: 'leader' | 'follower', isReady = true): BackupSource => ({
  group,
  name: group === 1 ? 'default' : `g${group}`,
  node,
  address: `host${node}:1`,
  role,
  isReady,
})

const sources = [
  source(1, 1, 'leader'),
  source(1, 2, 'follower', false),
  source(1, 3, 'follower'),
  source(2, 1, 'leader'),
  source(3, 2, 'follower', false),
]

describe('which copy is backed up', () => {
  test('is a ready follower, else the leader, else whoever has one', () => {
    const plan = planBackup(sources, { all: true })
    expect(plan.map(({ group, node }) => [group, node])).toEqual([
      [1, 3],
      [2, 1],
      [3, 2],
    ])
  })

  test('is the store, a group by name or number, or that of the member asked for', () => {
    expect(planBackup(sources, {})).toEqual([sources[2]])
    expect(planBackup(sources, { group: 'g2' })).toEqual([sources[3]])
    expect(planBackup(sources, { group: '3' })).toEqual([sources[4]])
    expect(planBackup(sources, { node: 2 })).toEqual([sources[1]])
  })

  test('is refused by what there is', () => {
    expect(() => planBackup(sources, { group: 'g7' })).toThrow(
      /--group is "g7", but must be one of default, g2, g3/,
    )
    expect(() => planBackup(sources, { node: 9 })).toThrow(/node 9 does not answer/)
  })
})

test('bytes are shown in the units that a person thinks in', () => {
  expect([0, 1_023, 1_024, 1_500_000, 5e9, 5e15].map(formatBytes)).toEqual([
    '0 bytes',
    '1023 bytes',
    '1 KiB',
    '1.4 MiB',
    '4.7 GiB',
    '4547 TiB',
  ])
})

test('a backup that may lack writes says so', () => {
  const manifest = {
    clusterId: 'c',
    node: 2,
    version: '1',
    takenAtMs: 0,
    withoutAccess: true,
    serializable: true,
  }
  const group = { group: 1, name: 'default', revision: 7, compactRevision: 7, index: 9, keys: 3, leases: 1 }
  expect(formatTaken('b', { manifest, groups: [group], bytes: 2_048 })).toBe(
    'b: 2 KiB, from node 2 of c; without users and tokens; of one copy, not asked of a quorum: the last writes may be missing\n' +
      '  group 1 (default): revision 7, 3 keys, 1 leases\n',
  )
})

test('a verified backup says when it was taken, in UTC', () => {
  const manifest = {
    clusterId: 'c',
    node: 2,
    version: '1',
    takenAtMs: Date.UTC(2026, 10, 21, 18, 47, 50),
    withoutAccess: false,
    serializable: false,
  }
  expect(formatVerified('b', manifest, [])).toBe('b: whole; taken 2026-11-21 18:47:50Z from node 2 of c\n')
})

test('a restored cluster is shown with the command that starts each member, secured as this command is', () => {
  const nodes = [
    { id: 1, folder: 'new/node-1' },
    { id: 2, folder: 'new/node-2' },
  ]
  const members = '1=10.0.0.1:7400,2=10.0.0.2:7400'
  const start = (id: number, flags: string): string =>
    `  npx althing node --id ${id} --members ${members} --cluster c-1 --data new/node-${id}${flags}\n`
  const head = 'The folders of the new cluster c-1 are made. Start its members with:\n\n'
  const shown = (tls: TlsOptions | undefined): string =>
    formatRestored({ clusterId: 'c-1', members, nodes, tls })
  expect(shown(undefined)).toBe(head + start(1, '') + start(2, ''))
  const secret = ' --secret-file ./cluster.secret'
  expect(shown({ secretFile: 'client.secret' })).toBe(head + start(1, secret) + start(2, secret))
})
