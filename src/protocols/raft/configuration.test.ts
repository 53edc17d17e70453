import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { bytesFromText } from '../../base/bytes.ts'
import { isAlthingError } from '../../contracts/errors.ts'
import {
  decodeConfiguration,
  encodeConfiguration,
  isJoint,
  leaveJoint,
  membersOf,
  sameVoters,
  stepTowards,
  targetProblem,
} from './configuration.ts'
import { Quorum } from './quorum.ts'
import type { Configuration } from './types.ts'

const ids = [1, 2, 3, 4, 5, 6]
/** Any that may be asked for: each member is a voter, a learner, or neither. */
const targets = fc
  .tuple(...ids.map(() => fc.constantFrom('voter', 'learner', 'none')))
  .map((parts): Configuration => {
    const those = (part: string) => ids.filter((_, at) => parts[at] === part)
    return { voters: those('voter'), learners: those('learner') }
  })
  .filter(({ voters }) => voters.length > 0)

describe('configurations', () => {
  test('come back as they were written, without their empty parts', () => {
    const joint: Configuration = {
      voters: [1, 2],
      outgoingVoters: [2, 3],
      learners: [3],
      addresses: { 1: 'a:1', 2: 'b:2', 3: 'c:3' },
    }
    expect(decodeConfiguration(encodeConfiguration(joint))).toEqual(joint)
    expect(decodeConfiguration(encodeConfiguration({ voters: [], learners: [] }))).toEqual({ voters: [] })
  })

  test('keep to what they know when a later version says more', () => {
    const bytes = bytesFromText('{"voters":[1],"witnesses":[2]}')
    expect(decodeConfiguration(bytes)).toEqual({ voters: [1] })
  })

  test.each([
    ['not JSON', '{'],
    ['a list', 'null'],
    ['no voters', '{}'],
    ['a voter twice', '{"voters":[1,1]}'],
    ['a member 0', '{"voters":[1],"learners":[0]}'],
    ['a member that is a text', '{"voters":["1"]}'],
    ['a learner that votes', '{"voters":[1],"learners":[1]}'],
    ['joint without voters', '{"voters":[],"outgoingVoters":[1]}'],
    ['addresses in a list', '{"voters":[1],"addresses":{"x":"a:1"}}'],
    ['an empty address', '{"voters":[1],"addresses":{"1":""}}'],
  ])('are corrupt: %s', (_, text) => {
    let thrown: unknown
    try {
      decodeConfiguration(bytesFromText(text))
    } catch (error) {
      thrown = error
    }
    expect(isAlthingError(thrown, 'corrupt')).toBe(true)
  })

  test('are reached by steps of which each quorum meets each of the next, and end as asked for', () => {
    fc.assert(
      fc.property(targets, targets, (current, target) => {
        const first = stepTowards(current, target)
        const last = isJoint(first) ? leaveJoint(first) : first
        expect(last).toEqual(decodeConfiguration(encodeConfiguration(target)))
        const changed = ids.filter((id) => current.voters.includes(id) !== target.voters.includes(id))
        expect(isJoint(first)).toBe(changed.length > 1)
        expect(findDisjointQuorums(current, first)).toBeUndefined()
        expect(findDisjointQuorums(first, last)).toBeUndefined()
        expect(sameVoters(current, target)).toBe(changed.length === 0)
      }),
      { numRuns: 300, seed: 4 },
    )
  })

  test('carry the addresses of all who belong to them, and of no one else at the end', () => {
    const addresses = (...members: number[]) => Object.fromEntries(members.map((id) => [id, `node${id}:1`]))
    const current: Configuration = { voters: [1, 2, 3], addresses: addresses(1, 2, 3) }
    const target: Configuration = { voters: [1, 4, 5], learners: [3], addresses: addresses(1, 3, 4, 5) }
    const joint = stepTowards(current, target)
    expect(joint.addresses).toEqual(addresses(1, 2, 3, 4, 5))
    expect(membersOf(joint)).toEqual([1, 2, 3, 4, 5])
    expect(leaveJoint(joint)).toEqual(target)
  })

  test('cannot be a target without voters, or when joint', () => {
    expect(targetProblem({ voters: [] })).toBe('a group needs a voter')
    expect(targetProblem({ voters: [1], outgoingVoters: [2] })).toBe('the target of a change is not joint')
    expect(targetProblem({ voters: [1], outgoingVoters: [] })).toBeUndefined()
  })
})

/** Two groups of members without anyone in common, of which one decides in `a` and the other in `b`. */
function findDisjointQuorums(a: Configuration, b: Configuration): readonly [number[], number[]] | undefined {
  for (let bits = 0; bits < 2 ** ids.length; bits++) {
    const some = ids.filter((_, at) => (bits & (1 << at)) !== 0)
    const others = ids.filter((id) => !some.includes(id))
    if (decides(a, some) && decides(b, others)) return [some, others]
  }
  return undefined
}

function decides(configuration: Configuration, members: readonly number[]): boolean {
  const votes = new Map(members.map((id) => [id, true]))
  return new Quorum(configuration).voteOutcome(votes) === 'won'
}
