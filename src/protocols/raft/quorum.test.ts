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

  test('a joint configuration takes a majority of each set, whatever the sets share', () => {
    const members = [1, 2, 3, 4, 5, 6, 7]
    const set = fc.subarray(members, { minLength: 1 })
    const vote = fc.constantFrom(true, false, undefined)
    fc.assert(
      fc.property(
        set,
        set,
        fc.array(fc.nat(9), { minLength: 7, maxLength: 7 }),
        fc.array(vote),
        (...drawn) => {
          const [voters, outgoingVoters, values, votes] = drawn
          const quorum = new Quorum({ voters, outgoingVoters })
          const valueOf = (voter: number) => values[voter - 1] as number
          const each = [voters, outgoingVoters].map((ids) => naivelyAcknowledged(ids.map(valueOf)))
          expect(quorum.acknowledged(valueOf)).toBe(Math.min(...each))
          const cast = new Map(
            votes.flatMap((granted, at) => (granted === undefined ? [] : [[at + 1, granted]])),
          )
          const outcomes = [voters, outgoingVoters].map((ids) => naiveOutcome(ids.map((id) => cast.get(id))))
          const worst = (['lost', 'pending', 'won'] as const).find((outcome) => outcomes.includes(outcome))
          expect(quorum.voteOutcome(cast)).toBe(worst)
        },
      ),
      { numRuns: 2_000, seed: 3 },
    )
  })

  test('learners do not count', () => {
    const quorum = new Quorum({ voters: [1, 2, 3], learners: [4, 5] })
    expect(quorum.acknowledged((id) => (id > 3 ? 9 : id === 1 ? 5 : 1))).toBe(1)
    expect(
      quorum.voteOutcome(
        new Map([
          [1, true],
          [4, true],
          [5, true],
        ]),
      ),
    ).toBe('pending')
    expect([quorum.has(3), quorum.has(4)]).toEqual([true, false])
  })

  test('an empty configuration agrees on nothing', () => {
    const quorum = new Quorum({ voters: [] })
    expect(quorum.acknowledged(() => 9)).toBe(Number.NEGATIVE_INFINITY)
    expect(quorum.voteOutcome(new Map([[1, true]]))).toBe('lost')
    expect(quorum.isOnly(1)).toBe(false)
  })

  test('refuses a configuration with a voter twice, or without a number', () => {
    expect(() => new Quorum({ voters: [1, 2, 1] })).toThrow('voters holds a member twice')
    expect(() => new Quorum({ voters: [0] })).toThrow('which is not an integer > 0')
  })
})
