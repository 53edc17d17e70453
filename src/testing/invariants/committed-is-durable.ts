import type { ClusterView, MemberStep, RaftInvariant } from './cluster-view.ts'

/**
 * What is committed is on the disks of a quorum of the configuration that its leader decides by: of a majority of each set, where that is joint, and of no
 * learner. `CommittedIsDurableInv` and `QuorumLogInv` in etcd's TLA+ specification; the promise behind every acknowledgement. Judged whenever the commit index of
 * the group goes on.
 */
export class CommittedIsDurable implements RaftInvariant {
  readonly name = 'committed-is-durable'
  #judged = 0

  check({ raft, after }: MemberStep, cluster: ClusterView): string | undefined {
    const index = cluster.commitIndex
    if (index === this.#judged) return undefined
    this.#judged = index
    const term = raft.term(index)
    if (term === undefined) return undefined
    const holders = cluster.agreement(after.configuration, ({ durable }) => durable.holds(index, term))
    if (holders.isQuorum) return undefined
    return `commits entry ${index} of term ${term}, which of its voters only [${holders.voters}] have on their disks`
  }
}
