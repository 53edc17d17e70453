import { formatDurationMs } from '../../base/duration.ts'
import { type Examination, type Finding, isLocal, ok, problem, warning } from './finding.ts'
import { shownBytes } from './machine-findings.ts'
import { leaderAmong, type MemberAnswer } from './member-answer.ts'

const dayMs = 24 * 60 * 60 * 1_000
const backupAgeMsMax = 7 * dayMs
const certificateMsWarning = 30 * dayMs
const certificateMsProblem = 3 * dayMs

/** What protects the data: access control, backups, copies that are the same. */
export function safetyFindings({ members, nowMs }: Examination): Finding[] {
  return [
    ...accessFindings(members),
    ...members.flatMap((member) => certificateFindings(member, nowMs)),
    ...members.flatMap((member) => unreadableFindings(member)),
    ...backupFinding(members, nowMs),
    ...members.flatMap((member) => replicaFindings(member)),
    ...soundFinding(members, nowMs),
  ]
}

function accessFindings(members: readonly MemberAnswer[]): Finding[] {
  const known = members.flatMap(({ status }) => (status?.operations === undefined ? [] : [status]))
  if (known.length === 0) return []
  const audits = known.flatMap(({ id, operations }) => {
    const why = operations?.access.auditProblem
    if (why === undefined) return []
    const message = `node ${id} cannot write its audit log: ${why}`
    const advice = 'what operators do is refused there until it can: look at its disk'
    return [problem('audit', message, advice, { node: id })]
  })
  const isEnabled = known.some(({ operations }) => operations?.access.isEnabled === true)
  if (isEnabled) return [ok('access', 'access control is on'), ...audits]
  if (isLocal(members))
    return [ok('access', 'access control is off; only this machine reaches the nodes'), ...audits]
  const message = 'access control is off: whoever reaches a node may read and change everything'
  const command = 'althing access enable'
  return [problem('access', message, 'turn it on (docs/blocks/access.md)', { command }), ...audits]
}

function certificateFindings({ id, status }: MemberAnswer, nowMs: number): Finding[] {
  return (status?.vitals?.certificates ?? []).map(({ file, endsWallMs }) => {
    const leftMs = endsWallMs - nowMs
    const about = { node: id, subject: file }
    const name = `the certificate ${file} of node ${id}`
    if (leftMs >= certificateMsWarning)
      return ok('certificates', `${name} holds for ${formatDurationMs(leftMs)}`, about)
    const advice =
      'put a renewed one in its place: connections made from then on use it, without a restart (docs/blocks/access.md)'
    if (leftMs <= 0) {
      const message = `${name} ended ${formatDurationMs(-leftMs)} ago: new connections fail`
      return problem('certificates', message, advice, about)
    }
    const judge = leftMs < certificateMsProblem ? problem : warning
    return judge('certificates', `${name} ends in ${formatDurationMs(leftMs)}`, advice, about)
  })
}

/** Until the node restarts it goes on with what it has read before. */
function unreadableFindings({ id, status }: MemberAnswer): Finding[] {
  return (status?.vitals?.unreadableCertificates ?? []).map(({ file, problem: why }) => {
    const message = `the certificate ${file} of node ${id} cannot be used: ${why}. The one read before stays in use, until it ends`
    const advice =
      'put a whole one in its place, which the node may read, before the node restarts: it would not start (docs/blocks/access.md)'
    return problem('certificates', message, advice, { node: id, subject: file })
  })
}

function backupFinding(members: readonly MemberAnswer[], nowMs: number): Finding[] {
  const known = leaderAmong(members) ?? members.find(({ status }) => status !== undefined)?.status
  if (known?.operations === undefined) return []
  const { lastBackup } = known.operations
  const advice = 'take one every day, keep it on another machine, and verify it'
  const about = { command: 'althing backup FILE --all' }
  if (lastBackup === undefined) {
    const message = 'no backup of this store was ever taken'
    return [isLocal(members) ? ok('backup', message) : warning('backup', message, advice, about)]
  }
  const ageMs = Math.max(0, nowMs - lastBackup.atMs)
  const message = `the last backup is ${formatDurationMs(ageMs)} old (revision ${lastBackup.revision}, ${shownBytes(lastBackup.bytes)})`
  return [ageMs <= backupAgeMsMax ? ok('backup', message) : warning('backup', message, advice, about)]
}

function replicaFindings({ id, status }: MemberAnswer): Finding[] {
  return (status?.operations?.replicaChecks ?? []).flatMap(
    ({ name, isSound, faulty, problem: why }): Finding[] => {
      const about = { node: id, subject: name }
      if (why !== undefined) {
        const message = `node ${id} could not compare the copies of group ${name}: ${why}`
        return [warning('replicas', message, 'it tries again; see that every copy answers', about)]
      }
      if (isSound) return []
      const where = faulty.length === 0 ? '' : `: node ${faulty.join(', ')} is wrong`
      const message = `the copies of group ${name} differ${where}`
      const advice =
        faulty.length === 0
          ? 'no state is held by most: compare again, and keep a backup of each copy before you do anything'
          : 'that node has stopped: replace it (docs/blocks/operations.md)'
      const command = faulty.length === 0 ? 'althing check replicas' : `althing member replace ${faulty[0]}`
      return [problem('replicas', message, advice, { ...about, command })]
    },
  )
}

/** One line for all the groups whose copies were found to be the same. */
function soundFinding(members: readonly MemberAnswer[], nowMs: number): Finding[] {
  const sound = members
    .flatMap(({ status }) => status?.operations?.replicaChecks ?? [])
    .filter(({ isSound, problem: why }) => isSound && why === undefined)
  if (sound.length === 0) return []
  const groups = new Set(sound.map(({ group }) => group)).size
  const ageMs = Math.max(0, nowMs - Math.max(...sound.map(({ atMs }) => atMs)))
  const what = groups === 1 ? 'the copies of one group' : `the copies of ${groups} groups`
  return [ok('replicas', `${what} are the same; last compared ${formatDurationMs(ageMs)} ago`)]
}
