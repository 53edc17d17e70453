import { describe, expect, test } from 'vitest'
import type { ReplicaHash } from './checkpoint-log.ts'
import { compareReplicas, faultyReplicas, isSound, type ReplicaAnswer } from './compare-replicas.ts'

const place = { group: 1, name: 'default', index: 40 }

const answer = (node: number, hash: string, changes: Partial<ReplicaHash> = {}): ReplicaAnswer => ({
  node,
  hash: { index: 40, revision: 12, hash, sessionsHash: 's', recomputed: hash, ...changes },
})
const silent = (node: number): ReplicaAnswer => ({ node, problem: 'does not answer' })

function verdicts(answers: readonly ReplicaAnswer[]): string[] {
  return compareReplicas(place, answers).replicas.map(({ verdict }) => verdict)
}

describe('copies of a group', () => {
  test('that are the same are sound, also when one does not answer', () => {
    const comparison = compareReplicas(place, [answer(1, 'a'), answer(2, 'a'), silent(3)])
    expect(comparison.agreed).toEqual({ revision: 12, hash: 'a', sessionsHash: 's' })
    expect(comparison.replicas.map(({ verdict }) => verdict)).toEqual(['same', 'same', 'unknown'])
    expect(isSound(comparison)).toBe(true)
  })

  test('are judged by what more than half of all copies have', () => {
    expect(verdicts([answer(1, 'a'), answer(2, 'b'), answer(3, 'a')])).toEqual(['same', 'differs', 'same'])
    expect(verdicts([answer(1, 'a'), answer(2, 'a', { sessionsHash: 't' }), answer(3, 'a')])).toEqual([
      'same',
      'differs',
      'same',
    ])
  })

  test('are left undecided where no state has a majority', () => {
    for (const answers of [
      [answer(1, 'a'), answer(2, 'b')],
      [answer(1, 'a'), answer(2, 'b'), silent(3)],
      [answer(1, 'a'), answer(2, 'a'), answer(3, 'b'), silent(4), silent(5)],
    ]) {
      const comparison = compareReplicas(place, answers)
      expect(comparison.agreed).toBeUndefined()
      expect(faultyReplicas(comparison)).toEqual([])
      expect(isSound(comparison)).toBe(false)
    }
  })

  test('are damaged when what they hold has another hash than what they were given', () => {
    const comparison = compareReplicas(place, [
      answer(1, 'a'),
      answer(2, 'a', { recomputed: 'x' }),
      answer(3, 'a'),
    ])
    expect(faultyReplicas(comparison).map(({ node }) => node)).toEqual([2])
    expect(comparison.agreed?.hash).toBe('a')
  })

  test('that are damaged cannot make a majority', () => {
    const damaged = { recomputed: 'x' }
    const comparison = compareReplicas(place, [
      answer(1, 'a', damaged),
      answer(2, 'a', damaged),
      answer(3, 'a'),
    ])
    expect(comparison.agreed).toBeUndefined()
  })
})
