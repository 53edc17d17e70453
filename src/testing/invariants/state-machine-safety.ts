import type { MemberStep, RaftInvariant } from './cluster-view.ts'
import { digestEntry } from './entry-digest.ts'

/**
 * No two members apply different entries at one index, and each applies all of them in order, once in a life. Paper figure 3, "State Machine
 * Safety".
 */
export class StateMachineSafety implements RaftInvariant {
  readonly name = 'state-machine-safety'
  readonly #digests: number[] = []
  readonly #nextIndex = new Map<number, number>()

  check({ member, before, after, event, effects }: MemberStep): string | undefined {
    if (before === undefined) this.#nextIndex.set(member.id, after.appliedIndex + 1)
    if (event.type === 'snapshotInstalled') this.#skipTo(member.id, after.appliedIndex + 1)
    for (const effect of effects) {
      if (effect.type !== 'apply') continue
      for (const entry of effect.entries) {
        const expected = this.#nextIndex.get(member.id) ?? 1
        if (entry.index !== expected) return `applies entry ${entry.index}, but ${expected} comes next`
        this.#nextIndex.set(member.id, entry.index + 1)
        const digest = (digestEntry(entry) ^ Math.imul(entry.term, 0x9e3779b1)) >>> 0
        const known = this.#digests[entry.index]
        this.#digests[entry.index] ??= digest
        if (known !== undefined && known !== digest) {
          return `applies at index ${entry.index} another entry (term ${entry.term}) than another member did`
        }
      }
    }
    return undefined
  }

  #skipTo(id: number, index: number): void {
    this.#nextIndex.set(id, Math.max(this.#nextIndex.get(id) ?? 1, index))
  }
}
