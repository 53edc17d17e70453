import type { MemberStep, RaftInvariant } from './cluster-view.ts'

/**
 * In one life term, commit and applied index never go back, a vote is never changed within its term, and applied <= commit <= last. Paper
 * figure 2 and section 5.1; `LogInv` in etcd's TLA+ specification.
 */
export class MonotoneProgress implements RaftInvariant {
  readonly name = 'monotone-progress'

  check({ before, after }: MemberStep): string | undefined {
    const { appliedIndex, commitIndex, lastIndex, persistedIndex } = after
    if (!(appliedIndex <= commitIndex && commitIndex <= lastIndex && persistedIndex <= lastIndex)) {
      return `applied ${appliedIndex}, committed ${commitIndex}, persisted ${persistedIndex}, last ${lastIndex}`
    }
    if (before === undefined) return undefined
    if (after.term < before.term) return `term ${before.term} goes back to ${after.term}`
    if (after.term === before.term && before.vote !== 0 && after.vote !== before.vote) {
      return `changes its vote in term ${after.term} from ${before.vote} to ${after.vote}`
    }
    if (commitIndex < before.commitIndex)
      return `commit index ${before.commitIndex} goes back to ${commitIndex}`
    if (appliedIndex < before.appliedIndex)
      return `applied index ${before.appliedIndex} goes back to ${appliedIndex}`
    return undefined
  }
}
