import type { GroupId } from '../group-id.ts'

/** The numbers of groups that were removed, for all time. Held as runs: numbers are given in order, so those of removed groups are mostly neighbours. */
export class RemovedGroups {
  /** Disjoint, not touching, ascending. */
  #runs: { readonly first: GroupId; readonly last: GroupId }[] = []

  get runs(): readonly { readonly first: GroupId; readonly last: GroupId }[] {
    return this.#runs
  }

  has(id: GroupId): boolean {
    return this.#runs.some(({ first, last }) => first <= id && id <= last)
  }

  add(first: GroupId, last: GroupId = first): void {
    const touching = this.#runs.filter((run) => run.first <= last + 1 && first <= run.last + 1)
    const merged = {
      first: Math.min(first, ...touching.map((run) => run.first)),
      last: Math.max(last, ...touching.map((run) => run.last)),
    }
    this.#runs = [...this.#runs.filter((run) => !touching.includes(run)), merged].sort(
      (a, b) => a.first - b.first,
    )
  }
}
