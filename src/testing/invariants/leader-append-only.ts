import type { MemberStep, RaftInvariant } from './cluster-view.ts'

/** A leader never overwrites or deletes entries of its log. Paper figure 3, "Leader Append-Only". */
export class LeaderAppendOnly implements RaftInvariant {
  readonly name = 'leader-append-only'

  check({ before, after, effects }: MemberStep): string | undefined {
    if (before?.role !== 'leader' || after.role !== 'leader' || before.term !== after.term) return undefined
    if (after.lastIndex < before.lastIndex) {
      return `its log ended at ${before.lastIndex} and now ends at ${after.lastIndex}`
    }
    for (const effect of effects) {
      if (effect.type !== 'persist') continue
      if (effect.snapshot !== undefined) return `replaces its log by a snapshot at ${effect.snapshot.index}`
      const first = effect.entries[0]?.index ?? Number.POSITIVE_INFINITY
      if (first <= before.lastIndex)
        return `overwrites entry ${first} of a log that ends at ${before.lastIndex}`
    }
    return undefined
  }
}
