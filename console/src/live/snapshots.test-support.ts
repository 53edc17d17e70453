import type { ClusterMember, ClusterReply, NodeStatus, ProcessStatus, Snapshot } from '../api/types.ts'

/** A ready follower, changed as given; `null`: it does not answer. */
export function member(id: number, change: Partial<NodeStatus> | null = {}): ClusterMember {
  const address = `127.0.0.1:${7400 + id}`
  return { id, address, status: change === null ? null : { ...follower(id, address), ...change } }
}

function follower(id: number, address: string): NodeStatus {
  return {
    id,
    address,
    clusterId: 'test',
    version: '0.1.0',
    role: 'follower',
    term: 2,
    leader: 1,
    commitIndex: 10,
    appliedIndex: 10,
    lastIndex: 10,
    firstIndex: 1,
    persistedIndex: 10,
    revision: 5,
    compactRevision: 0,
    keys: 3,
    leases: 0,
    watchers: 0,
    clients: 0,
    groups: { copies: 1, leading: 0 },
    uptimeMs: 60_000,
    wallMs: 1_000,
    isReady: true,
    members: [],
    blocked: [],
  }
}

export function clusterOf(members: readonly ClusterMember[], at = 1_000): ClusterReply {
  const leader = members.find(({ status }) => status?.role === 'leader')?.id ?? 0
  return { clusterId: 'test', leader, members, at }
}

export function snapshotOf(
  cluster: ClusterReply,
  processes: readonly ProcessStatus[] | null = null,
): Snapshot {
  return {
    cluster,
    locks: [],
    semaphores: [],
    elections: [],
    services: [],
    staleServices: null,
    gateway: [],
    processes,
    findings: [],
    problems: {},
  }
}
