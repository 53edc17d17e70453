import { decodeConfiguration } from '../../protocols/raft/configuration.ts'
import type { Configuration, NodeId } from '../../protocols/raft/types.ts'
import type { MemberStep, RaftInvariant } from './cluster-view.ts'

/**
 * A leader changes the members one step at a time: only when the configuration before is committed, and an entry of its own term too (thesis section 4.1 and its
 * erratum of 2015), and only so that any quorum of the one meets any quorum of the next (section 4.3).
 */
export class ConfigurationSteps implements RaftInvariant {
  readonly name = 'configuration-steps'

  check({ before, after, effects }: MemberStep): string | undefined {
    if (before?.role !== 'leader' || before.term !== after.term) return undefined
    let current = before.configuration
    let index = before.configurationIndex
    for (const effect of effects) {
      if (effect.type !== 'persist') continue
      for (const entry of effect.entries) {
        if (entry.kind !== 'configuration') continue
        if (after.commitIndex < index)
          return `changes the members while entry ${index}, a change too, is not committed`
        if (!before.committedInTerm && !after.committedInTerm)
          return 'changes the members before it has committed in its term'
        const next = decodeConfiguration(entry.data)
        if (!quorumsMeet(current, next))
          return `goes from ${JSON.stringify(current)} to ${JSON.stringify(next)}`
        current = next
        index = entry.index
      }
    }
    return undefined
  }
}

/** Whether they do so surely: by sharing a set of voters that decides in both, or all voters but one. */
function quorumsMeet(a: Configuration, b: Configuration): boolean {
  return setsOf(a).some((left) => setsOf(b).some((right) => differences(left, right) <= 1))
}

function setsOf({ voters, outgoingVoters = [] }: Configuration): (readonly NodeId[])[] {
  return outgoingVoters.length === 0 ? [voters] : [voters, outgoingVoters]
}

function differences(a: readonly NodeId[], b: readonly NodeId[]): number {
  return a.filter((id) => !b.includes(id)).length + b.filter((id) => !a.includes(id)).length
}
