import { describe, expect, test } from 'vitest'
import type { MemberSight } from '../../engines/cluster/node-status.ts'
import type { MemberAnswer } from './member-answer.ts'
import { answer } from './member-answer.test-support.ts'
import { sightAmong, shownSight } from './member-sight.ts'
import { sightFindings } from './sight-findings.ts'

const alive: MemberSight = { state: 'alive', forMs: 60_000, incarnation: 1 }

/** Each member with how it sees 1, 2 and 3. */
function cluster(...sights: readonly (readonly MemberSight[] | undefined)[]): MemberAnswer[] {
  return sights.map((seen, i) => {
    const id = i + 1
    if (seen === undefined) return { id, address: `node${id}:7400` }
    const members = seen.map((each, at) => ({
      id: at + 1,
      address: `node${at + 1}:7400`,
      isVoter: true,
      isConnected: true,
      seen: each,
    }))
    return answer(id, { members })
  })
}

describe('what the nodes see of each other', () => {
  test('is well when each sees the others alive', () => {
    const all = [alive, alive, alive]
    expect(sightFindings(cluster(all, all, all))).toMatchObject([{ check: 'members', severity: 'ok' }])
  })

  test('tells of a slow node, why it is slow, and what to look at', () => {
    const slow: MemberSight = { ...alive, state: 'degraded', degraded: 'event-loop' }
    const all = [alive, slow, alive]
    expect(sightFindings(cluster(all, all, all))).toMatchObject([
      {
        check: 'members',
        severity: 'warning',
        node: 2,
        message: 'node 2 is degraded: its event loop is held up',
      },
    ])
  })

  test('tells of one that answers here but not to all others', () => {
    const failed: MemberSight = { ...alive, state: 'failed', suspectedBy: [1] }
    const [found] = sightFindings(
      cluster([alive, failed, alive], [alive, alive, alive], [alive, alive, alive]),
    )
    expect(found).toMatchObject({ severity: 'warning', node: 2 })
    expect(found?.message).toContain('node 1 had no answer from it')
  })

  test('leaves one that answers nowhere to the finding that says so', () => {
    const failed: MemberSight = { ...alive, state: 'failed', suspectedBy: [1] }
    const all = [alive, failed, alive]
    expect(sightFindings(cluster(all, undefined, all))).toEqual([])
  })

  test('is not looked at where no node tells of it: they are of the version before', () => {
    expect(sightFindings([answer(1), answer(2)])).toEqual([])
  })
})

test('is told at its worst, with those who see it so', () => {
  const suspect: MemberSight = { ...alive, state: 'suspect', suspectedBy: [3] }
  const answers = cluster([alive, alive, alive], [alive, alive, alive], [alive, suspect, alive])
  expect(sightAmong(answers, 2)).toMatchObject({ by: [3], among: 2 })
  expect(shownSight(sightAmong(answers, 2)?.sight ?? alive)).toBe('suspect (by 3)')
})
