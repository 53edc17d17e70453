import type { ClusterView, MemberStep, RaftInvariant } from './cluster-view.ts'

/**
 * An entry that was committed in a term is in the log of every leader of later terms. Paper figure 3, "Leader Completeness";
 * `LeaderCompletenessInv` in etcd's TLA+ specification. Judged when a leader is elected.
 */
export class LeaderCompleteness implements RaftInvariant {
  readonly name = 'leader-completeness'

  check({ before, after, raft }: MemberStep, cluster: ClusterView): string | undefined {
    if (after.role !== 'leader' || (before?.role === 'leader' && before.term === after.term)) return undefined
    for (let index = after.firstIndex; index <= cluster.commitIndex; index++) {
      const committed = cluster.committed(index)
      // Votes may have come late: what was committed in this term's future was not there to be had.
      if (committed === undefined || committed.inTerm >= after.term || committed.term === 0) continue
      if (raft.term(index) === committed.term) continue
      const has = raft.term(index) === undefined ? 'has none' : `has one of term ${raft.term(index)}`
      return `leads term ${after.term}; entry ${index} of term ${committed.term} was committed in term ${committed.inTerm}, and it ${has}`
    }
    return undefined
  }
}
