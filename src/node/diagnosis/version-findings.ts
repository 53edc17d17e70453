import { peerVersion } from '../../replication/message-codec.ts'
import { type Finding, ok, warning } from './finding.ts'
import { leaderAmong, type MemberAnswer } from './member-answer.ts'

/** Whether the members run, and speak, the same version. */
export function versionFindings(members: readonly MemberAnswer[]): Finding[] {
  return [...programFinding(members), ...wireFinding(members)]
}

function programFinding(members: readonly MemberAnswer[]): Finding[] {
  const versions = new Map<string, number[]>()
  for (const { id, status } of members) {
    if (status !== undefined) versions.set(status.version, [...(versions.get(status.version) ?? []), id])
  }
  const [first] = versions.keys()
  if (first === undefined) return []
  if (versions.size === 1) return [ok('version', `every node that answers runs version ${first}`)]
  const list = [...versions].map(([version, ids]) => `${version} on ${ids.join(', ')}`).join('; ')
  const message = `the nodes run different versions: ${list}`
  const advice = 'finish the upgrade: run the same version everywhere (docs/blocks/operations.md)'
  return [warning('version', message, advice)]
}

/** Members that greet with an older version of the messages: until they are upgraded the cluster keeps to what they understand. */
function wireFinding(members: readonly MemberAnswer[]): Finding[] {
  const known = leaderAmong(members)
  const old = (known?.members ?? []).filter(
    ({ protocol }) => protocol !== undefined && protocol < peerVersion,
  )
  if (old.length === 0) return []
  const list = old.map(({ id, protocol }) => `node ${id} version ${protocol}`).join(', ')
  const message = `messages between nodes: this version speaks ${peerVersion}, ${list}`
  const advice =
    'upgrade those nodes: until then they are not watched; below version 2, members and groups cannot be changed, quotas not set and copies not compared'
  return [warning('version', message, advice, { subject: 'wire' })]
}
