import { expect, test } from 'vitest'
import type { ProgressStatus, RaftStatus } from '../../../protocols/raft/types.ts'
import { CatchUp, nearEntries } from './catch-up.ts'

const electionTimeoutMs = 1_000

function status(learner: Partial<ProgressStatus>, lastIndex = 100_000): RaftStatus {
  const progress = { state: 'replicate', matchIndex: lastIndex, lastReplyMs: 0, ...learner } as ProgressStatus
  return {
    configuration: { voters: [1, 2, 3], learners: [4] },
    lastIndex,
    progress: new Map([[4, progress]]),
  } as unknown as RaftStatus
}

test('a learner has caught up once it has been near the end of the log for a whole election timeout', () => {
  const catchUp = new CatchUp(electionTimeoutMs)
  for (let ms = 0; ms < 1_000; ms += 250)
    expect(catchUp.observe(ms, status({ lastReplyMs: ms })).size).toBe(0)
  expect([...catchUp.observe(1_000, status({ lastReplyMs: 1_000 }))]).toEqual([4])
})

test.each([
  ['falls behind', { matchIndex: 100_000 - nearEntries - 1 }],
  ['is sent a snapshot', { state: 'snapshot' as const }],
  ['falls silent', { lastReplyMs: -600 }],
])('a learner that %s meanwhile begins anew', (_, trouble) => {
  const catchUp = new CatchUp(electionTimeoutMs)
  catchUp.observe(0, status({}))
  catchUp.observe(500, status({ lastReplyMs: 500, ...trouble }))
  expect(catchUp.observe(1_000, status({ lastReplyMs: 1_000 })).size).toBe(0)
  expect(catchUp.observe(2_000, status({ lastReplyMs: 2_000 })).size).toBe(1)
})

test('in a short log a few entries are a large share: they must have been copied too', () => {
  const catchUp = new CatchUp(electionTimeoutMs)
  const behind = (ms: number) => status({ matchIndex: 10, lastReplyMs: ms }, 100)
  catchUp.observe(0, behind(0))
  expect(catchUp.observe(1_000, behind(1_000)).size).toBe(0)
})
