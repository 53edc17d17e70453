import type { NodeId, RaftEffect } from '../../protocols/raft/types.ts'

export type PersistEffect = Extract<RaftEffect, { type: 'persist' }>

/**
 * What a member's machine was told to be on its disk: term, vote, and the terms of its log. A lower bound of what is really there: a write
 * that was under way at a crash may have been done.
 */
export class DurableState {
  term = 0
  vote: NodeId = 0
  /** The log begins after this index: everything up to it is in a durable snapshot or was compacted. */
  baseIndex = 0
  readonly #terms: number[] = []
  #pending: PersistEffect[] = []

  get lastIndex(): number {
    return this.baseIndex + this.#terms.length
  }

  /** `undefined` past the end and up to the base. */
  termAt(index: number): number | undefined {
    return this.#terms[index - this.baseIndex - 1]
  }

  /** The log up to `index` is here, whose entry there is of `term`. */
  holds(index: number, term: number): boolean {
    return index <= this.baseIndex || this.termAt(index) === term
  }

  /** The machine asked for writes. */
  begin(effects: readonly RaftEffect[]): void {
    for (const effect of effects) if (effect.type === 'persist') this.#pending.push(effect)
  }

  /** All writes up to and with `sequence` are reported as durable. */
  complete(sequence: number): void {
    let done = 0
    for (const effect of this.#pending) {
      if (effect.sequence > sequence) break
      this.#apply(effect)
      done++
    }
    this.#pending.splice(0, done)
  }

  /** The member started anew, with what it read from its disk. */
  restart(term: number, vote: NodeId, baseIndex: number, terms: readonly number[]): void {
    this.term = term
    this.vote = vote
    this.#reset(baseIndex)
    for (const each of terms) this.#terms.push(each)
    this.#pending = []
  }

  /** Term and vote stay. */
  forgetLog(): void {
    this.#reset(0)
    this.#pending = this.#pending
      .filter(({ hardState }) => hardState !== undefined)
      .map(({ type, sequence, hardState }) => ({
        type,
        sequence,
        entries: [],
        ...(hardState && { hardState }),
      }))
  }

  /** What may be on the disk now: with none, one, two, … of the writes done that were under way. */
  *possibilities(): Iterable<DurableState> {
    const state = new DurableState()
    state.restart(this.term, this.vote, this.baseIndex, this.#terms)
    yield state
    for (const effect of this.#pending) {
      state.#apply(effect)
      yield state
    }
  }

  #apply({ hardState, snapshot, entries }: PersistEffect): void {
    if (hardState !== undefined) {
      this.term = hardState.term
      this.vote = hardState.vote
    }
    if (snapshot !== undefined) this.#reset(snapshot.index)
    const first = entries[0]
    if (first === undefined) return
    this.#terms.length = Math.max(0, first.index - this.baseIndex - 1)
    for (const entry of entries) this.#terms.push(entry.term)
  }

  #reset(baseIndex: number): void {
    this.baseIndex = baseIndex
    this.#terms.length = 0
  }
}
