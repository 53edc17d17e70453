import type { StoreModel } from '../../models/store/store-model.ts'
import type { NodeId } from '../../protocols/raft/types.ts'
import { type CommittedLog, summaryOf } from './committed-log.ts'
import { InvariantViolation } from './violation.ts'

/** Entries between two comparisons of the whole state. */
const hashEvery = 128

/**
 * Replicas that have applied the same index are in the same state: each command was applied exactly once, whatever snapshots and restarts lay between.
 * Schneider, "Implementing Fault-Tolerant Services Using the State Machine Approach" (1990), section 2. After each entry sizes and revisions are
 * compared with a store that applied the log once, now and then the hash of the whole state.
 */
export class ReplicasEqual {
  readonly name = 'replicas-equal'
  readonly #log: CommittedLog
  readonly #hashedAt = new Map<NodeId, number>()

  constructor(log: CommittedLog) {
    this.#log = log
  }

  /** `model` of a member stands at `index`. */
  checkApplied(id: NodeId, index: number, model: StoreModel): InvariantViolation | undefined {
    const expected = this.#log.summaryAt(index)
    const found = summaryOf(model)
    for (const field of ['revision', 'compactRevision', 'keys', 'leases', 'sessions'] as const) {
      if (expected === undefined || found[field] === expected[field]) continue
      const what = `node ${id} at index ${index} has ${field} ${found[field]}`
      return new InvariantViolation(this.name, `${what}, the log leads to ${expected[field]}`)
    }
    const isDue = index - (this.#hashedAt.get(id) ?? 0) >= hashEvery
    if (!isDue || index !== this.#log.index) return undefined
    this.#hashedAt.set(id, index)
    return this.checkWhole(id, index, model)
  }

  /** Compares all of the state; `model` must stand at the end of the log. */
  checkWhole(id: NodeId, index: number, model: StoreModel): InvariantViolation | undefined {
    if (model.hash() === this.#log.model.hash()) return undefined
    return new InvariantViolation(
      this.name,
      `node ${id} at index ${index} is not in the state that the log leads to`,
    )
  }
}
