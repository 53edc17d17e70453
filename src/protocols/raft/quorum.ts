import { assert } from '../../base/assert.ts'
import type { Configuration, NodeId } from './types.ts'

export type VoteOutcome = 'won' | 'lost' | 'pending'

/**
 * Decides what a configuration has agreed on. A joint configuration (thesis section 4.3) would hold two of these and take the
 * smaller acknowledged value and the worse vote outcome; nothing else in raft counts members.
 */
export class Quorum {
  readonly voters: readonly NodeId[]
  readonly #size: number
  readonly #scratch: Float64Array

  constructor(configuration: Configuration) {
    const voters = configuration.voters
    assert(voters.length > 0, 'a configuration has a voter')
    assert(new Set(voters).size === voters.length, 'each voter counts once', { voters })
    assert(
      voters.every((voter) => Number.isSafeInteger(voter) && voter > 0),
      'a voter has a number > 0',
      { voters },
    )
    this.voters = voters
    this.#size = Math.floor(voters.length / 2) + 1
    this.#scratch = new Float64Array(voters.length)
  }

  has(id: NodeId): boolean {
    return this.voters.includes(id)
  }

  /** The greatest value that a majority of the voters has reached or passed. */
  acknowledged(valueOf: (voter: NodeId) => number): number {
    const values = this.#scratch
    // Insertion sort, ascending: for a handful of voters nothing is faster, and it allocates nothing.
    for (let count = 0; count < this.voters.length; count++) {
      const value = valueOf(this.voters[count] as NodeId)
      let at = count
      for (; at > 0 && (values[at - 1] as number) > value; at--) values[at] = values[at - 1] as number
      values[at] = value
    }
    return values[values.length - this.#size] as number
  }

  /** `lost` once a majority can no longer be reached. Votes of others than the voters do not count. */
  voteOutcome(votes: ReadonlyMap<NodeId, boolean>): VoteOutcome {
    let granted = 0
    let open = 0
    for (const voter of this.voters) {
      const vote = votes.get(voter)
      if (vote === undefined) open++
      else if (vote) granted++
    }
    if (granted >= this.#size) return 'won'
    return granted + open >= this.#size ? 'pending' : 'lost'
  }
}
