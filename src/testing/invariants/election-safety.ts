import type { NodeId } from '../../protocols/raft/types.ts'
import type { MemberStep, RaftInvariant } from './cluster-view.ts'

/** At most one leader in a term. Paper figure 3, "Election Safety"; `ElectionSafetyInv` in etcd's TLA+ specification of raft. */
export class ElectionSafety implements RaftInvariant {
  readonly name = 'election-safety'
  readonly #leaders = new Map<number, NodeId>()

  check({ member, before, after }: MemberStep): string | undefined {
    if (after.role !== 'leader' || (before?.role === 'leader' && before.term === after.term)) return undefined
    const other = this.#leaders.get(after.term)
    if (other !== undefined) return `leads term ${after.term}, which node ${other} was elected to lead`
    this.#leaders.set(after.term, member.id)
    return undefined
  }
}
