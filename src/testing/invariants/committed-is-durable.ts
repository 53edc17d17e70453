import type { ClusterView, MemberStep, RaftInvariant } from './cluster-view.ts'

/**
 * What is committed is on the disks of a majority. `CommittedIsDurableInv` and `QuorumLogInv` in etcd's TLA+ specification; the promise
 * behind every acknowledgement. Judged whenever the commit index of the group goes on.
 */
export class CommittedIsDurable implements RaftInvariant {
  readonly name = 'committed-is-durable'
  #judged = 0

  check({ raft }: MemberStep, cluster: ClusterView): string | undefined {
    const index = cluster.commitIndex
    if (index === this.#judged) return undefined
    this.#judged = index
    const term = raft.term(index)
    if (term === undefined) return undefined
    const count = cluster.durableCount(index, term)
    if (count >= cluster.majority) return undefined
    return `commits entry ${index} of term ${term}, which is on the disks of ${count} members only`
  }
}
