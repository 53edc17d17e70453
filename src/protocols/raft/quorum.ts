import { assert } from '../../base/assert.ts'
import { configurationProblem } from './configuration.ts'
import type { Configuration, NodeId } from './types.ts'

export type VoteOutcome = 'won' | 'lost' | 'pending'

/**
 * Decides what a configuration has agreed on; nothing else in raft counts members. A joint configuration (thesis section 4.3) takes a
 * majority of each set: the smaller acknowledged value, and the worse outcome of a vote. An empty one agrees on nothing.
 */
export class Quorum {
  readonly #incoming: Majority
  readonly #outgoing: Majority | undefined

  constructor(configuration: Configuration) {
    const problem = configurationProblem(configuration)
    assert(problem === undefined, 'a configuration is well formed', { problem, configuration })
    const { voters, outgoingVoters = [] } = configuration
    this.#incoming = new Majority(voters)
    this.#outgoing = outgoingVoters.length > 0 ? new Majority(outgoingVoters) : undefined
  }

  /** A voter of either set. */
  has(id: NodeId): boolean {
    return this.#incoming.voters.includes(id) || this.#outgoing?.voters.includes(id) === true
  }

  /** Nobody but `id` decides anything. */
  isOnly(id: NodeId): boolean {
    return this.#outgoing === undefined && this.#incoming.voters.length === 1 && this.has(id)
  }

  /** The greatest value that a quorum has reached or passed; `-Infinity` where nobody votes. */
  acknowledged(valueOf: (voter: NodeId) => number): number {
    const incoming = this.#incoming.acknowledged(valueOf)
    return this.#outgoing === undefined ? incoming : Math.min(incoming, this.#outgoing.acknowledged(valueOf))
  }

  /** `lost` once a quorum can no longer be reached. Votes of others than the voters do not count. */
  voteOutcome(votes: ReadonlyMap<NodeId, boolean>): VoteOutcome {
    const incoming = this.#incoming.voteOutcome(votes)
    const outgoing = this.#outgoing?.voteOutcome(votes) ?? incoming
    if (incoming === outgoing) return incoming
    return incoming === 'lost' || outgoing === 'lost' ? 'lost' : 'pending'
  }
}

class Majority {
  readonly voters: readonly NodeId[]
  readonly #size: number
  readonly #scratch: Float64Array

  constructor(voters: readonly NodeId[]) {
    this.voters = voters
    this.#size = Math.floor(voters.length / 2) + 1
    this.#scratch = new Float64Array(voters.length)
  }

  acknowledged(valueOf: (voter: NodeId) => number): number {
    const values = this.#scratch
    if (values.length === 0) return Number.NEGATIVE_INFINITY
    // Insertion sort, ascending: for a handful of voters nothing is faster, and it allocates nothing.
    for (let count = 0; count < this.voters.length; count++) {
      const value = valueOf(this.voters[count] as NodeId)
      let at = count
      for (; at > 0 && (values[at - 1] as number) > value; at--) values[at] = values[at - 1] as number
      values[at] = value
    }
    return values[values.length - this.#size] as number
  }

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
