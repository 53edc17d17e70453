import type { Entry } from '../../protocols/raft/types.ts'
import type { MemberStep, RaftInvariant } from './cluster-view.ts'
import { digestEntry } from './entry-digest.ts'

interface Placed {
  readonly digest: number
  readonly previousTerm: number | undefined
}

const termsMax = 2 ** 20

/**
 * Logs that have an entry of the same index and term are the same up to it. Paper figure 3, "Log Matching"; `LogMatchingInv` in etcd's TLA+
 * specification. Judged by its inductive step: an entry of one index and term has everywhere the same content and the same predecessor.
 */
export class LogMatching implements RaftInvariant {
  readonly name = 'log-matching'
  readonly #placed = new Map<number, Placed>()

  check({ effects, raft }: MemberStep): string | undefined {
    for (const effect of effects) {
      if (effect.type !== 'persist') continue
      for (const [i, entry] of effect.entries.entries()) {
        const previousTerm = i === 0 ? raft.term(entry.index - 1) : effect.entries[i - 1]?.term
        const problem = this.#place(entry, previousTerm)
        if (problem !== undefined) return problem
      }
    }
    return undefined
  }

  #place(entry: Entry, previousTerm: number | undefined): string | undefined {
    const { index, term } = entry
    const key = index * termsMax + term
    const known = this.#placed.get(key)
    const digest = digestEntry(entry)
    if (known === undefined || known.previousTerm === undefined) {
      this.#placed.set(key, { digest, previousTerm })
    }
    if (known === undefined) return undefined
    if (known.digest !== digest) return `entry ${index} of term ${term} has another content elsewhere`
    const isOther = previousTerm !== undefined && known.previousTerm !== undefined
    if (!isOther || known.previousTerm === previousTerm) return undefined
    return `entry ${index} of term ${term} follows one of term ${previousTerm} here, of ${known.previousTerm} elsewhere`
  }
}
