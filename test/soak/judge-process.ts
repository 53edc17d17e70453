import { checkLinearizability, versionedKvModel } from 'althing/testing/checkers'
import { pairOperations } from 'althing/testing/history'
import { createNodeWorld } from 'althing/world'
import type { JudgeAnswer, JudgeOrder } from './judge.ts'

const judgeWithinMs = 120_000
const { clock } = createNodeWorld({ dataFolder: '.' })

process.on('message', ({ id, events }: JudgeOrder) => {
  const { verdict, violation, reason } = checkLinearizability(versionedKvModel(), pairOperations(events), {
    clock,
    timeLimitMs: judgeWithinMs,
  })
  const why = violation?.message ?? reason
  const answer: JudgeAnswer = { id, verdict, ...(why === undefined ? {} : { reason: why }) }
  process.send?.(answer)
})
process.once('disconnect', () => process.exit())
