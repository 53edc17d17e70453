import type { NodeId, ProgressStatus, RaftStatus } from '../../protocols/raft/types.ts'
import { isVoterOf } from '../../protocols/raft/configuration.ts'
import type { GroupId } from '../../replication/group-id.ts'
import type { Member, PeerTransport } from '../../replication/peer-transport.ts'
import { clientKeysStart, systemPrefix } from '../../models/store/system-keys.ts'
import type { StoreHost } from '../local/store-host.ts'
import type { GroupStatus, MemberStatus, NodeStatus } from './node-status.ts'

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
  const { keys, leases } = model.stats
  const system = model.range({ key: systemPrefix, end: clientKeysStart, countOnly: true }).count
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
    keys: keys - system,
    leases,
    watchers: host.watches.size,
  }
}

/** The members as this node sees them. */
export function describeMembers(
  self: NodeId,
  members: readonly Member[],
  { configuration, progress }: RaftStatus,
  transport: PeerTransport,
  nowMs: number,
): MemberStatus[] {
  return members.map(({ id, address }) => {
    const follower = progress.get(id)
    return {
      id,
      address,
      isVoter: isVoterOf(configuration, id),
      isConnected: id === self || (transport.isConnected(id) && !transport.blocked.has(id)),
      ...(follower === undefined ? {} : describeProgress(follower, nowMs)),
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
  return [...hosts].map(([id, { group, model }]) => {
    const { role, term, leader, commitIndex, appliedIndex, configuration } = group.status()
    const { voters, learners = [] } = configuration
    const keys = model.stats.keys
    return { id, name: nameOf(id), role, term, leader, commitIndex, appliedIndex, keys, voters, learners }
  })
}
