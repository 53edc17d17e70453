import type { DurableState } from './durable-state.ts'
import type { MemberStep, RaftInvariant } from './cluster-view.ts'

/**
 * A member that starts again has everything that it had been told to be on its disk: term and vote do not go back, and no entry is missing, unless a
 * write that was under way has overwritten it.
 * Paper figure 2, "Persistent state on all servers".
 */
export class DurableSurvivesRestart implements RaftInvariant {
  readonly name = 'durable-survives-restart'

  check(): string | undefined {
    return undefined
  }

  checkRestart(step: MemberStep): string | undefined {
    let problem: string | undefined
    for (const durable of step.member.durable.possibilities()) {
      const found = checkHardState(step, durable) ?? checkLog(step, durable)
      if (found === undefined) return undefined
      problem ??= found
    }
    return problem
  }
}

function checkHardState({ after }: MemberStep, durable: DurableState): string | undefined {
  if (after.term < durable.term)
    return `starts in term ${after.term}, after it had written term ${durable.term}`
  if (after.term > durable.term || durable.vote === 0 || after.vote === durable.vote) return undefined
  return `starts with the vote ${after.vote} in term ${after.term}, after it had written a vote for ${durable.vote}`
}

function checkLog({ after, raft }: MemberStep, durable: DurableState): string | undefined {
  // The log started anew after a received snapshot that the log before it did not lead to.
  const baseIndex = after.firstIndex - 1
  const baseTerm = durable.termAt(baseIndex)
  if (baseTerm !== undefined && baseTerm !== raft.term(baseIndex)) return undefined
  for (let index = Math.max(after.firstIndex, durable.baseIndex + 1); index <= durable.lastIndex; index++) {
    const term = raft.term(index)
    if (term === durable.termAt(index)) continue
    const found = term === undefined ? `its log ends at ${after.lastIndex}` : `has one of term ${term}`
    return `had written entry ${index} of term ${durable.termAt(index)}, and ${found} after its restart`
  }
  if (after.firstIndex > after.commitIndex + 1)
    return `its log begins at ${after.firstIndex} without a snapshot before`
  return undefined
}
