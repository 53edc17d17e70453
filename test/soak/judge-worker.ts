import { parentPort } from 'node:worker_threads'
import { checkLinearizability, versionedKvModel } from 'althing/testing/checkers'
import { pairOperations } from 'althing/testing/history'
import { createNodeWorld } from 'althing/world'
import type { JudgeAnswer, JudgeOrder } from './judge.ts'

const judgeWithinMs = 120_000
const { clock } = createNodeWorld({ dataFolder: '.' })

parentPort?.on('message', ({ id, events }: JudgeOrder) => {
  const { verdict, violation, reason } = checkLinearizability(versionedKvModel(), pairOperations(events), {
    clock,
    timeLimitMs: judgeWithinMs,
  })
  const why = violation?.message ?? reason
  const answer: JudgeAnswer = { id, verdict, ...(why === undefined ? {} : { reason: why }) }
  parentPort?.postMessage(answer)
})
