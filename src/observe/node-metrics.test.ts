import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { type NodeGauges, NodeMetrics } from './node-metrics.ts'
import type { OperationGauges } from './operation-metrics.ts'

const textOf = (path: string): string =>
  readFileSync(fileURLToPath(new URL(`../../docs/${path}`, import.meta.url)), 'utf8')

const operations: OperationGauges = {
  store: { bytes: 100, historyBytes: 40, quotaBytes: 1_000 },
  crowded: [],
  leaderless: ['orders'],
  activity: { reads: 7, writes: 3 },
  leadership: { forMs: 1_500 },
  disk: { freeBytes: 5_000, isLow: false },
  watchers: { setAside: 1, setAsideTotal: 4, resyncsTotal: 2 },
  isEligible: true,
  hindrances: [],
  rateLimitedTotal: 9,
  access: { isEnabled: true },
  lastBackup: { atMs: 60_000, bytes: 77 },
  replicaChecks: [{ name: 'default', atMs: 30_000, isSound: true }],
}

const node: NodeGauges = {
  role: 'leader',
  term: 4,
  leader: 1,
  commitIndex: 9,
  appliedIndex: 9,
  lastIndex: 9,
  firstIndex: 1,
  persistedIndex: 9,
  revision: 5,
  compactRevision: 0,
  keys: 3,
  leases: 0,
  watchers: 1,
  clients: 2,
  isReady: true,
  members: [
    { id: 1, isVoter: true, isConnected: true, matchIndex: 9 },
    { id: 2, isVoter: false, isConnected: true, matchIndex: 4 },
  ],
  groups: { copies: 3, leading: 1 },
  operations,
  vitals: { certificates: [{ file: 'node.pem', endsWallMs: 90_000 }] },
}

interface Bed {
  readonly metrics: NodeMetrics
  now: NodeGauges
  asked: number
}

function bedOf(now: NodeGauges): Bed {
  const bed: Bed = {
    now,
    asked: 0,
    metrics: new NodeMetrics({
      labels: {},
      version: '1.0.0',
      gauges: () => {
        bed.asked++
        return bed.now
      },
      findings: () => [
        { check: 'clock', severity: 'ok' },
        { check: 'disk', severity: 'problem' },
        { check: 'disk', severity: 'problem' },
      ],
      loopDelay: () => ({ meanMs: 1, p50Ms: 1, p99Ms: 2, maxMs: 3 }),
    }),
  }
  return bed
}

async function samplesOf({ metrics }: Bed): Promise<Map<string, number>> {
  const { text } = await metrics.text()
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.split(' ').at(-1))]))
}

/** Without what a histogram makes of its name. */
async function namesOf({ metrics }: Bed): Promise<string[]> {
  const { text } = await metrics.text()
  return [...text.matchAll(/^# TYPE (\w+) /gm)].map(([, name]) => name as string).toSorted()
}

describe('the metrics of a node', () => {
  test('say how members, groups, room, backups, copies and findings are', async () => {
    const samples = await samplesOf(bedOf(node))
    expect(
      Object.fromEntries([...samples].filter(([name]) => !/process|bucket|raft_/.test(name))),
    ).toMatchObject({
      'althing_members{kind="voter"}': 1,
      'althing_members{kind="learner"}': 1,
      'althing_group_copies{kind="leading"}': 1,
      'althing_group_copies{kind="following"}': 2,
      althing_groups_leaderless: 1,
      althing_store_bytes: 100,
      althing_store_quota_bytes: 1_000,
      althing_disk_free_bytes: 5_000,
      althing_disk_low: 0,
      althing_watchers_set_aside: 1,
      althing_watchers_set_aside_total: 4,
      althing_reads_total: 7,
      althing_writes_total: 3,
      althing_rate_limited_total: 9,
      althing_leader_stable_seconds: 1.5,
      althing_backup_timestamp_seconds: 60,
      'althing_replicas_checked_timestamp_seconds{group="default"}': 30,
      'althing_certificate_end_timestamp_seconds{file="node.pem"}': 90,
      'althing_findings{severity="problem",check="disk"}': 2,
    })
    expect([...samples.keys()].some((name) => name.includes('check="clock"'))).toBe(false)
  })

  test('leave out what is not known, rather than say 0', async () => {
    const { lastBackup: _, ...rest } = operations
    const samples = await samplesOf(bedOf({ ...node, operations: { ...rest, disk: { isLow: false } } }))
    expect([...samples.keys()].filter((name) => /backup|disk_free/.test(name))).toEqual([])
  })

  test('never count down, though a group takes its counts along when it goes', async () => {
    const bed = bedOf(node)
    await bed.metrics.text()
    bed.now = { ...node, operations: { ...operations, activity: { reads: 2, writes: 0 } } }
    expect((await samplesOf(bed)).get('althing_reads_total')).toBe(7)
    bed.now = { ...node, operations: { ...operations, activity: { reads: 5, writes: 0 } } }
    expect((await samplesOf(bed)).get('althing_reads_total')).toBe(10)
  })

  test('look at the node once for each scrape', async () => {
    const bed = bedOf(node)
    await bed.metrics.text()
    expect(bed.asked).toBe(1)
  })

  test('are those that the page lists, no more and no less', async () => {
    const listed = new Set<string>()
    for (const line of textOf('blocks/metrics.md').split('\n')) {
      const cell = /^\| (`.+?) \|/.exec(line)?.[1]
      if (cell === undefined) continue
      for (const [, name] of cell.matchAll(/`(althing_\w+)/g)) listed.add(name as string)
    }
    expect([...listed].toSorted()).toEqual(await namesOf(bedOf(node)))
  })

  test('include every one that the alerts of the examples name, and each alert says what to do', async () => {
    const rules = textOf('examples/alerts.yml')
    const named = new Set([...rules.matchAll(/\balthing_\w+/g)].map(([name]) => name.replace(/_bucket$/, '')))
    const known = await namesOf(bedOf(node))
    expect([...named].filter((name) => !known.includes(name))).toEqual([])
    const alerts = rules.split(/^ {6}- alert: /m).slice(1)
    expect(alerts.length).toBeGreaterThan(15)
    for (const alert of alerts) {
      expect(alert).toMatch(/expr: .+/)
      expect(alert).toMatch(/severity: (page|ticket)/)
      expect(alert).toMatch(/summary: '.+'/)
      expect(alert).toMatch(/description: '.{20,}'/)
    }
  })
})
