import type { ClusterView, Member, MemberStep, RaftInvariant } from './cluster-view.ts'

/**
 * A leader is elected by votes that are on the disks of those who gave them, its own included. Paper figure 2: `votedFor` is updated on stable
 * storage before responding.
 */
export class VotesAreDurable implements RaftInvariant {
  readonly name = 'votes-are-durable'

  check({ member, before, after }: MemberStep, cluster: ClusterView): string | undefined {
    if (after.role !== 'leader' || (before?.role === 'leader' && before.term === after.term)) return undefined
    let votes = 0
    for (const voter of cluster.members.values()) if (mayHaveVoted(voter, after.term, member.id)) votes++
    if (votes >= cluster.majority) return undefined
    return `leads term ${after.term} by ${votes} durable votes, of ${cluster.majority} that it needs`
  }
}

/** One that has gone on to a later term has forgotten whom it voted for. */
function mayHaveVoted({ durable }: Member, term: number, candidate: number): boolean {
  return durable.term > term || (durable.term === term && durable.vote === candidate)
}
