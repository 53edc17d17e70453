import type { NodeId, ProgressStatus, RaftStatus } from '../../protocols/raft/types.ts'
import { isVoterOf } from '../../protocols/raft/configuration.ts'
import type { GroupId } from '../../replication/group-id.ts'
import { peerVersion } from '../../replication/message-codec.ts'
import type { Member, PeerTransport } from '../../replication/peer-transport.ts'
import { clientKeysStart, systemPrefix } from '../../models/store/system-keys.ts'
import type { StoreHost } from '../local/store-host.ts'
import type { GroupStatus, MemberSight, MemberStatus, NodeStatus } from './node-status.ts'

/** Where this node's copy of group 1 and its log are. */
export function describeStore(
  host: StoreHost,
  raft: RaftStatus,
): Pick<
  NodeStatus,
  | 'role'
  | 'term'
  | 'leader'
  | 'commitIndex'
  | 'appliedIndex'
  | 'firstIndex'
  | 'lastIndex'
  | 'persistedIndex'
  | 'revision'
  | 'compactRevision'
  | 'keys'
  | 'leases'
  | 'watchers'
> {
  const { model } = host
  const { leases } = model.stats
  return {
    role: raft.role,
    term: raft.term,
    leader: raft.leader,
    commitIndex: raft.commitIndex,
    appliedIndex: raft.appliedIndex,
    firstIndex: raft.firstIndex,
    lastIndex: raft.lastIndex,
    persistedIndex: raft.persistedIndex,
    revision: model.revision,
    compactRevision: model.compactRevision,
    keys: clientKeys(host),
    leases,
    watchers: host.watches.size,
  }
}

/** Keys that clients can see. */
function clientKeys({ model }: StoreHost): number {
  const system = model.range({ key: systemPrefix, end: clientKeysStart, countOnly: true }).count
  return model.stats.keys - system
}

export interface MembersView {
  readonly self: NodeId
  readonly members: readonly Member[]
  readonly raft: RaftStatus
  readonly transport: PeerTransport
  readonly nowMs: number
  /** See `MemberStatus`. */
  learnerForMs(member: NodeId): number | undefined
  sightOf(member: NodeId): MemberSight | undefined
}

/** The members as this node sees them. */
export function describeMembers({
  self,
  members,
  raft,
  transport,
  nowMs,
  learnerForMs,
  sightOf,
}: MembersView): MemberStatus[] {
  return members.map(({ id, address }) => {
    const follower = raft.progress.get(id)
    const protocol = id === self ? peerVersion : transport.protocolOf(id)
    const learnedMs = learnerForMs(id)
    const seen = sightOf(id)
    return {
      id,
      address,
      isVoter: isVoterOf(raft.configuration, id),
      isConnected: id === self || (transport.isConnected(id) && !transport.blocked.has(id)),
      ...(protocol === undefined ? {} : { protocol }),
      ...(learnedMs === undefined ? {} : { learnerForMs: learnedMs }),
      ...(follower === undefined ? {} : describeProgress(follower, nowMs)),
      ...(seen === undefined ? {} : { seen }),
    }
  })
}

function describeProgress(
  { matchIndex, state, lastReplyMs, hasLostData }: ProgressStatus,
  nowMs: number,
): Pick<MemberStatus, 'matchIndex' | 'state' | 'sinceReplyMs' | 'hasLostData'> {
  const sinceReplyMs = Math.max(0, Math.round(nowMs - lastReplyMs))
  return { matchIndex, state, sinceReplyMs, ...(hasLostData ? { hasLostData } : {}) }
}

/** This node's copies of groups, group 1 among them. */
export function describeGroups(
  hosts: ReadonlyMap<GroupId, StoreHost>,
  nameOf: (id: GroupId) => string,
): GroupStatus[] {
  return [...hosts].map(([id, host]) => {
    const { group, space } = host
    const { role, term, leader, commitIndex, appliedIndex, configuration } = group.status()
    const { voters, learners = [] } = configuration
    const size = { keys: clientKeys(host), bytes: space.bytes, quotaBytes: space.quotaBytes }
    return { id, name: nameOf(id), role, term, leader, commitIndex, appliedIndex, ...size, voters, learners }
  })
}
