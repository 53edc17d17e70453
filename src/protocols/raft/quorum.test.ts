import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Quorum, type VoteOutcome } from './quorum.ts'

/** The definition, word for word: the greatest value for which more than half have reached it. */
function naivelyAcknowledged(values: readonly number[]): number {
  const isReached = (value: number) => values.filter((other) => other >= value).length * 2 > values.length
  return Math.max(...values.filter(isReached))
}

/** Tries every way in which the open votes could still fall. */
function naiveOutcome(votes: readonly (boolean | undefined)[]): VoteOutcome {
  const isMajority = (granted: number) => granted * 2 > votes.length
  if (isMajority(votes.filter((vote) => vote === true).length)) return 'won'
  return isMajority(votes.filter((vote) => vote !== false).length) ? 'pending' : 'lost'
}

const votersOf = (count: number) => Array.from({ length: count }, (_, at) => at * 7 + 3)

describe('quorum', () => {
  test('acknowledges what the definition says, for any values', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(12), { minLength: 1, maxLength: 9 }), (values) => {
        const voters = votersOf(values.length)
        const quorum = new Quorum({ voters })
        expect(quorum.acknowledged((voter) => values[voters.indexOf(voter)] ?? 0)).toBe(
          naivelyAcknowledged(values),
        )
      }),
      { numRuns: 2_000, seed: 1 },
    )
  })

  test('decides votes as the definition says', () => {
    const vote = fc.constantFrom(true, false, undefined)
    fc.assert(
      fc.property(fc.array(vote, { minLength: 1, maxLength: 9 }), (votes) => {
        const voters = votersOf(votes.length)
        const cast = new Map<number, boolean>([[1_000, true]])
        votes.forEach((granted, at) => granted !== undefined && cast.set(voters[at] as number, granted))
        expect(new Quorum({ voters }).voteOutcome(cast)).toBe(naiveOutcome(votes))
      }),
      { numRuns: 2_000, seed: 2 },
    )
  })

  test('refuses a configuration without voters, or with one twice', () => {
    expect(() => new Quorum({ voters: [] })).toThrow('a configuration has a voter')
    expect(() => new Quorum({ voters: [1, 2, 1] })).toThrow('each voter counts once')
    expect(() => new Quorum({ voters: [0] })).toThrow('a voter has a number > 0')
  })
})
