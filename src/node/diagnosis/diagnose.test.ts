import { describe, expect, test } from 'vitest'
import { formatFindings } from '../../cli/format-findings.ts'
import type { NodeStatus } from '../../engines/cluster/node-status.ts'
import type { OperationsStatus } from '../../engines/cluster/operations-status.ts'
import { diagnose } from './diagnose.ts'
import type { Finding } from './finding.ts'
import type { MemberAnswer } from './member-answer.ts'
import { answer, silent } from './member-answer.test-support.ts'

const nowMs = 1_700_000_000_000

const messages = (members: readonly MemberAnswer[], severity: string): string[] =>
  diagnose({ members, nowMs })
    .filter((finding) => finding.severity === severity)
    .map(({ message }) => message)

const gib = 1024 ** 3
const operations: OperationsStatus = {
  store: { bytes: gib, historyBytes: gib / 4, quotaBytes: 2 * gib, state: 'ok' },
  disk: { freeBytes: 50 * gib, isLow: false },
  crowded: [],
  leaderless: [],
  activity: { reads: 0, writes: 0 },
  leadership: { changesTotal: 1, changesLastHour: 1, forMs: 60_000 },
  watchers: { setAside: 0, setAsideTotal: 3, resyncsTotal: 0 },
  isEligible: true,
  hindrances: [],
  rateLimitedTotal: 0,
  access: { isEnabled: true },
  lastBackup: { atMs: nowMs - 3_600_000, revision: 80, bytes: 1_000 },
  replicaChecks: [{ group: 1, name: 'default', atMs: nowMs, isSound: true, faulty: [] }],
}

/** Three members; what `changes` says is so at the first, which leads. */
function withOperations(changes: Partial<OperationsStatus>, hosts = ['a', 'b', 'c']): MemberAnswer[] {
  const addresses = hosts.map((host, i) => `${host}:740${i + 1}`)
  const members = addresses.map((address, i) => ({ id: i + 1, address, isVoter: true, isConnected: true }))
  return addresses.map((address, i) => {
    const own = i === 0 ? { ...operations, ...changes } : operations
    return { ...answer(i + 1, { address, members, operations: own }), address }
  })
}

function wrong(members: readonly MemberAnswer[]): Pick<Finding, 'check' | 'severity' | 'node'>[] {
  return diagnose({ members, nowMs })
    .filter(({ severity }) => severity !== 'ok')
    .map(({ check, severity, node }) => ({ check, severity, ...(node === undefined ? {} : { node }) }))
}

describe('the doctor', () => {
  test('finds nothing wrong with a healthy cluster', () => {
    const findings = diagnose({ nowMs, members: [answer(1), answer(2), answer(3)] })
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
      'the clock of node 2 is 600ms ahead of that of node 1 (measured to 1 ms)',
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
      'node 3 is 19900 entries behind',
      'the nodes run different versions: 1.0.0 on 1, 2; 1.1.0 on 3',
    ])
  })

  test('names the command that replaces a silent node only while a quorum can do it', () => {
    const commands = (members: readonly MemberAnswer[]) =>
      diagnose({ nowMs, members }).flatMap(({ command }) => command ?? [])
    expect(commands([answer(1), answer(2), silent])).toContain('althing member replace 3')
    const without = commands([answer(1), { ...silent, id: 2 }, silent])
    expect(without.filter((each) => each.includes('replace'))).toEqual([])
    expect(without).toContain('althing backup FILE --all --serializable')
  })

  test('says with each thing that is wrong what to do, the worst first', () => {
    const findings = diagnose({ nowMs, members: [answer(1), { ...silent, id: 2 }, silent] })
    const wrong = findings.filter(({ severity }) => severity !== 'ok')
    expect(wrong.length).toBeGreaterThan(0)
    expect(wrong.every(({ advice }) => advice !== undefined && advice.length > 0)).toBe(true)
    const text = formatFindings(findings)
    expect(text.indexOf('PROBLEM')).toBe(0)
    expect(text.indexOf('ok  ')).toBeGreaterThan(text.lastIndexOf('PROBLEM'))
  })
})

describe('the safety of a cluster', () => {
  test('is in order with access control, a backup, room, and copies that are the same', () => {
    expect(wrong(withOperations({}))).toEqual([])
  })

  test.each<[string, Partial<OperationsStatus>, object]>([
    [
      'a full store',
      { store: { ...operations.store, state: 'full' } },
      { check: 'quota', severity: 'problem' },
    ],
    [
      'a store that is nearly full',
      { store: { ...operations.store, state: 'nearly-full' } },
      { check: 'quota', severity: 'warning' },
    ],
    [
      'a disk that is all but full',
      { disk: { freeBytes: 1e6, isLow: true }, isEligible: false },
      { check: 'disk-space', severity: 'problem', node: 1 },
    ],
    [
      'a disk that fills up',
      { disk: { freeBytes: gib / 2, isLow: false } },
      { check: 'disk-space', severity: 'warning', node: 1 },
    ],
    [
      'a node that may not lead',
      { isEligible: false },
      { check: 'leadership', severity: 'warning', node: 1 },
    ],
    [
      'watchers that do not read',
      { watchers: { setAside: 2, setAsideTotal: 9, resyncsTotal: 1 } },
      { check: 'watchers', severity: 'warning', node: 1 },
    ],
    [
      'an audit log that cannot be written',
      { access: { isEnabled: true, auditProblem: 'disk full' } },
      { check: 'audit', severity: 'problem', node: 1 },
    ],
    [
      'an old backup',
      { lastBackup: { atMs: nowMs - 8 * 86_400_000, revision: 1, bytes: 1 } },
      { check: 'backup', severity: 'warning' },
    ],
    [
      'copies that differ',
      { replicaChecks: [{ group: 1, name: 'default', atMs: nowMs, isSound: false, faulty: [3] }] },
      { check: 'replicas', severity: 'problem', node: 1 },
    ],
  ])('is endangered by %s', (_, changes, expected) => {
    expect(wrong(withOperations(changes))).toEqual([expected])
  })

  test('has certificates that hold, and files of them that can be read', () => {
    const loopDelay = { meanMs: 1, p50Ms: 1, p99Ms: 2, maxMs: 3 }
    const dayMs = 86_400_000
    const certificates = [
      { file: 'ca.pem', endsWallMs: nowMs + 300 * dayMs },
      { file: 'http.pem', endsWallMs: nowMs + 10 * dayMs },
      { file: 'old.pem', endsWallMs: nowMs - dayMs },
    ]
    const unreadableCertificates = [{ file: 'node.pem', problem: 'it ends within a certificate' }]
    const members = [
      answer(1, { vitals: { loopDelay, certificates } }),
      answer(2, { vitals: { loopDelay, certificates: [], unreadableCertificates } }),
      answer(3),
    ]
    const found = diagnose({ members, nowMs }).filter(({ check }) => check === 'certificates')
    expect(found.map(({ severity, node, subject }) => [severity, node, subject])).toEqual([
      ['problem', 1, 'old.pem'],
      ['problem', 2, 'node.pem'],
      ['warning', 1, 'http.pem'],
      ['ok', 1, 'ca.pem'],
    ])
    const unreadable = found.find(({ subject }) => subject === 'node.pem')
    expect(unreadable?.message).toMatch(
      /^the certificate node\.pem of node 2 cannot be used: it ends within a certificate/,
    )
    expect(unreadable?.advice).toMatch(/^put a whole one in its place/)
  })

  test('needs access control and backups where others reach the nodes, and not on one machine', () => {
    const off = { access: { isEnabled: false } }
    const without = (members: MemberAnswer[]): MemberAnswer[] =>
      members.map((member) => {
        const { lastBackup: _, ...rest } = { ...operations, ...off }
        const status = { ...(member.status as NodeStatus), operations: rest }
        return { ...member, status }
      })
    expect(wrong(without(withOperations({})))).toEqual([
      { check: 'access', severity: 'problem' },
      { check: 'backup', severity: 'warning' },
    ])
    const local = ['127.0.0.1', 'localhost', '[::1]']
    expect(wrong(without(withOperations({}, local)))).toEqual([])
  })

  test('is endangered by voters that share a machine, but not by learners that do', () => {
    expect(wrong(withOperations({}, ['a', 'a', 'b']))).toEqual([{ check: 'quorum', severity: 'warning' }])
    const [first, second, third] = withOperations({}) as [MemberAnswer, MemberAnswer, MemberAnswer]
    const learner = { id: 4, address: 'a:7404', isVoter: false, isConnected: true, matchIndex: 100 }
    const members = [...(first.status?.members ?? []), { ...learner, state: 'replicate' as const }]
    const leader = { ...first, status: { ...(first.status as NodeStatus), members } }
    const four = [leader, second, third, { ...answer(4, { operations }), address: 'a:7404' }]
    expect(wrong(four)).toEqual([])
    expect(messages(four, 'ok')).toContain(
      'node 4 is a learner, 20 entries behind: it receives and does not vote',
    )
  })

  test('is lost where a member has forgotten what it had acknowledged', () => {
    const [first, ...others] = withOperations({}) as [MemberAnswer, ...MemberAnswer[]]
    const members = (first.status?.members ?? []).map((each) =>
      each.id === 3 ? { ...each, hasLostData: true } : each,
    )
    const leader = { ...first, status: { ...(first.status as NodeStatus), members } }
    expect(wrong([leader, ...others])).toEqual([{ check: 'data-loss', severity: 'problem', node: 3 }])
  })
})
