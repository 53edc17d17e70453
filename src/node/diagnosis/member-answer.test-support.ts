import type { NodeStatus } from '../../engines/cluster/node-status.ts'
import type { MemberAnswer } from './member-answer.ts'

/** What member `id` of three answers in a healthy cluster that member 1 leads, but for the changes. */
export function answer(id: number, changes: Partial<NodeStatus> = {}, ahead = 0): MemberAnswer {
  const address = `127.0.0.1:740${id}`
  const status: NodeStatus = {
    id,
    clusterId: 'test',
    address,
    version: '1.0.0',
    role: id === 1 ? 'leader' : 'follower',
    term: 4,
    leader: 1,
    commitIndex: 120,
    appliedIndex: 120,
    lastIndex: 120,
    firstIndex: 1,
    persistedIndex: 120,
    revision: 90,
    compactRevision: 0,
    keys: 7,
    leases: 0,
    watchers: 0,
    clients: 0,
    uptimeMs: 61_000,
    wallMs: 0,
    isReady: true,
    groups: { copies: 1, leading: 0 },
    members: [1, 2, 3].map((each) => ({
      id: each,
      address: `127.0.0.1:740${each}`,
      isVoter: true,
      isConnected: true,
    })),
    blocked: [],
    ...changes,
  }
  return { id, address, status, clockAheadMs: ahead, roundTripMs: 1 }
}

/** A member that does not answer. */
export const silent: MemberAnswer = { id: 3, address: '127.0.0.1:7403' }
