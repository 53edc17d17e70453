import type { ClusterView, MemberStep, RaftInvariant } from './cluster-view.ts'

/**
 * A reader is served no earlier than at the index that was committed when it asked: so it sees every write that had been acknowledged then. Thesis
 * section 6.4.
 */
export class ReadIndexIsCurrent implements RaftInvariant {
  readonly name = 'read-index'
  readonly #askedAt = new Map<string, number>()

  check({ member, event, effects }: MemberStep, cluster: ClusterView): string | undefined {
    const reader = (id: number): string => `${member.id}/${member.life}/${id}`
    if (event.type === 'read') this.#askedAt.set(reader(event.id), cluster.commitIndex)
    let problem: string | undefined
    for (const effect of effects) {
      if (effect.type === 'readDropped') this.#askedAt.delete(reader(effect.id))
      if (effect.type !== 'readReady') continue
      const committed = this.#askedAt.get(reader(effect.id)) ?? 0
      this.#askedAt.delete(reader(effect.id))
      if (effect.index < committed) {
        problem ??= `serves a reader at index ${effect.index}, who asked when ${committed} was committed`
      }
    }
    return problem
  }
}
