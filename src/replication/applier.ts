import { assert } from '../base/assert.ts'
import type { World } from '../contracts/world.ts'
import type { Entry, SnapshotMeta } from '../protocols/raft/types.ts'
import type { GroupModel } from './group-model.ts'
import { runInSlices } from './in-slices.ts'
import type { Proposals } from './proposals.ts'

export interface ApplierOptions {
  readonly world: World
  readonly model: GroupModel
  readonly proposals: Proposals
  /** What the model stands at: it was restored from this before. */
  readonly restoredFrom: SnapshotMeta | undefined
  isServing(): boolean
  /** An entry has been applied, and its proposer answered. */
  appliedOne(entry: Entry): void
  /** All entries that were given together have been. */
  applied(index: number): void
  fail(cause: unknown): void
}

/** Brings committed entries to the model, in order, and snapshots in place of them. */
export class Applier {
  readonly #options: ApplierOptions
  #index: number
  #term: number
  #isRestoring = false
  /** Committed while the model was being restored. */
  #waiting: (readonly Entry[])[] = []

  constructor(options: ApplierOptions) {
    this.#options = options
    this.#index = options.restoredFrom?.index ?? 0
    this.#term = options.restoredFrom?.term ?? 0
  }

  /** Of the last entry applied. */
  get index(): number {
    return this.#index
  }

  get term(): number {
    return this.#term
  }

  get isRestoring(): boolean {
    return this.#isRestoring
  }

  apply(entries: readonly Entry[]): void {
    if (this.#isRestoring) {
      this.#waiting.push(entries)
      return
    }
    for (const entry of entries) {
      assert(entry.index === this.#index + 1, 'entries are applied in order', {
        index: entry.index,
        applied: this.#index,
      })
      if (!this.#applyOne(entry)) return
    }
    this.#options.applied(this.#index)
  }

  /** Puts the snapshot in place of the model's state, in steps; what is committed meanwhile waits. Resolves whether it was done. */
  async restore(snapshot: SnapshotMeta, chunks: readonly Uint8Array[]): Promise<boolean> {
    const { world, model, isServing, fail } = this.#options
    this.#isRestoring = true
    try {
      const work = model.restore(chunks)
      if (work !== undefined) await runInSlices(world, work, isServing)
    } catch (cause) {
      fail(cause)
    }
    this.#isRestoring = false
    if (!isServing()) return false
    this.#index = snapshot.index
    this.#term = snapshot.term
    return true
  }

  /** Applies what was committed during a restoration, and is not in what was restored. */
  applyWaiting(): void {
    const batches = this.#waiting
    this.#waiting = []
    for (const entries of batches) {
      const rest = entries.filter(({ index }) => index > this.#index)
      if (rest.length > 0 && this.#options.isServing()) this.apply(rest)
    }
  }

  /** Returns whether the node goes on. */
  #applyOne(entry: Entry): boolean {
    const { model, proposals } = this.#options
    const proposal = proposals.at(entry)
    let reply: unknown
    if (entry.kind === 'command') {
      try {
        reply = model.apply(entry, proposal?.term === entry.term ? proposal.hint : undefined)
      } catch (cause) {
        this.#options.fail(cause)
        return false
      }
    }
    this.#index = entry.index
    this.#term = entry.term
    // Only now: until then a failure of this node must answer its proposer.
    if (proposal !== undefined) proposals.applied(proposal, entry, reply)
    this.#options.appliedOne(entry)
    return true
  }
}
