import type { ClusterView, Member, MemberStep, RaftInvariant } from './cluster-view.ts'

/**
 * A leader is elected by a quorum of the configuration that it uses, in a joint one of each set (thesis section 4.3), by votes that are on the disks of those who
 * gave them, its own included. Paper figure 2: `votedFor` is updated on stable storage before responding.
 */
export class VotesAreDurable implements RaftInvariant {
  readonly name = 'votes-are-durable'

  check({ member, before, after }: MemberStep, cluster: ClusterView): string | undefined {
    if (after.role !== 'leader' || (before?.role === 'leader' && before.term === after.term)) return undefined
    const electors = cluster.agreement(after.configuration, (voter) =>
      mayHaveVoted(voter, after.term, member.id),
    )
    if (electors.isQuorum) return undefined
    return `leads term ${after.term} by the durable votes of [${electors.voters}], which are too few`
  }
}

/** One that has gone on to a later term has forgotten whom it voted for. */
function mayHaveVoted({ durable }: Member, term: number, candidate: number): boolean {
  return durable.term > term || (durable.term === term && durable.vote === candidate)
}
