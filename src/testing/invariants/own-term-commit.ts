import type { MemberStep, RaftInvariant } from './cluster-view.ts'

/**
 * A leader commits by counting only entries of its own term; earlier ones follow with them. Paper section 5.4.2 and figure 8; the guard of
 * `AdvanceCommitIndex` in the TLA+ specification of raft.
 */
export class OwnTermCommit implements RaftInvariant {
  readonly name = 'own-term-commit'

  check({ before, after, raft }: MemberStep): string | undefined {
    if (before?.role !== 'leader' || after.role !== 'leader' || before.term !== after.term) return undefined
    if (after.commitIndex === before.commitIndex) return undefined
    const term = raft.term(after.commitIndex)
    if (term === after.term) return undefined
    return `leads term ${after.term} and commits up to entry ${after.commitIndex}, which is of term ${term}`
  }
}
