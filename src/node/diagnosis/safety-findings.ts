import { formatDurationMs } from '../../base/duration.ts'
import { type Examination, type Finding, isLocal, ok, problem, warning } from './finding.ts'
import { leaderAmong, type MemberAnswer } from './member-answer.ts'

const backupAgeMsMax = 7 * 24 * 60 * 60 * 1_000

/** What protects the data: access control, backups, copies that are the same. */
export function safetyFindings({ members, nowMs }: Examination): Finding[] {
  return [
    ...accessFindings(members),
    ...backupFinding(members, nowMs),
    ...members.flatMap((member) => replicaFindings(member)),
  ]
}

function accessFindings(members: readonly MemberAnswer[]): Finding[] {
  const known = members.flatMap(({ status }) => (status?.operations === undefined ? [] : [status]))
  if (known.length === 0) return []
  const audits = known.flatMap(({ id, operations }) => {
    const why = operations?.access.auditProblem
    if (why === undefined) return []
    const message = `node ${id} cannot write its audit log: ${why}`
    return [
      problem('audit', message, 'what operators do is refused there until it can: look at its disk', id),
    ]
  })
  const isEnabled = known.some(({ operations }) => operations?.access.isEnabled === true)
  if (isEnabled) return [ok('access', 'access control is on'), ...audits]
  if (isLocal(members))
    return [ok('access', 'access control is off; only this machine reaches the nodes'), ...audits]
  const message = 'access control is off: whoever reaches a node may read and change everything'
  return [problem('access', message, 'turn it on (docs/blocks/access.md)'), ...audits]
}

function backupFinding(members: readonly MemberAnswer[], nowMs: number): Finding[] {
  const known = leaderAmong(members) ?? members.find(({ status }) => status !== undefined)?.status
  if (known?.operations === undefined) return []
  const { lastBackup } = known.operations
  const advice = 'take one every day (althing backup FILE), keep it on another machine, and verify it'
  if (lastBackup === undefined) {
    const message = 'no backup of this store was ever taken'
    return [isLocal(members) ? ok('backup', message) : warning('backup', message, advice)]
  }
  const ageMs = Math.max(0, nowMs - lastBackup.atMs)
  const message = `the last backup is ${formatDurationMs(ageMs)} old`
  return [ageMs <= backupAgeMsMax ? ok('backup', message) : warning('backup', message, advice)]
}

function replicaFindings({ id, status }: MemberAnswer): Finding[] {
  return (status?.operations?.replicaChecks ?? []).flatMap(
    ({ name, isSound, faulty, problem: why }): Finding[] => {
      if (why !== undefined) {
        const message = `node ${id} could not compare the copies of group ${name}: ${why}`
        return [warning('replicas', message, 'it tries again; see that every copy answers', id)]
      }
      if (isSound)
        return [ok('replicas', `the copies of group ${name} are the same, as node ${id} found`, id)]
      const where = faulty.length === 0 ? '' : `: node ${faulty.join(', ')} is wrong`
      const message = `the copies of group ${name} differ${where}`
      const advice =
        faulty.length === 0
          ? 'no state is held by most: compare again (althing check replicas), and keep a backup of each copy before you do anything'
          : 'that node has stopped: move its data folder aside, and let the others fill it again'
      return [problem('replicas', message, advice, id)]
    },
  )
}
