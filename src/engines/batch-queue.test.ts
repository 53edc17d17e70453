import { describe, expect, test } from 'vitest'
import { AlthingError } from '../contracts/errors.ts'
import type { World } from '../contracts/world.ts'
import { Simulation } from '../testing/world/simulation.ts'
import {
  type BatchAttempt,
  type BatchCarrier,
  type BatchKind,
  BatchQueue,
  type Tried,
} from './batch-queue.ts'

interface Call {
  readonly requests: readonly string[]
  readonly number: number
  readonly isRepeat: boolean
}

type Answer = readonly string[]

class ScriptedAttempt implements BatchAttempt {
  wasSent = false
  isAbandoned = false
  abandon(): void {
    this.isAbandoned = true
  }
}

/** What becomes of the attempts, in their order: each waits for its connection, is composed and sent, and then answers. */
type Fate = (attempt: ScriptedAttempt, send: () => Call) => Promise<Tried<Answer>>

function carrierOf(world: World, fates: Fate[]): BatchCarrier<Call, Answer, ScriptedAttempt> {
  return {
    world,
    attempt: () => new ScriptedAttempt(),
    try: (compose, attempt) => {
      const fate = fates.shift()
      if (fate === undefined) throw new Error('no attempt was expected')
      return fate(attempt, () => {
        const call = compose()
        attempt.wasSent = true
        return call
      })
    },
    retryMs: () => 10,
  }
}

const upperCase: BatchKind<string, string, Call, Answer> = {
  isMutation: true,
  sentMax: 1,
  requestsMax: 3,
  bytesMax: 100,
  callOf: (requests, number, isRepeat) => ({ requests, number, isRepeat }),
  repliesOf: (answer) => answer,
}

const answered = ({ requests }: Call): Tried<Answer> => ({
  answer: requests.map((each) => each.toUpperCase()),
})

const failed = (isAmbiguous: boolean): Tried<Answer> => ({
  failure: { error: new AlthingError('unavailable', 'the connection broke'), isPassing: true, isAmbiguous },
})

async function inWorld(
  body: (world: World, sleep: (ms: number) => Promise<void>) => Promise<void>,
): Promise<void> {
  const simulation = new Simulation({ seed: 1 })
  let isDone = false
  simulation.process('client', async (world) => {
    await body(world, (ms) => new Promise((resolve) => world.timers.after(ms, resolve)))
    isDone = true
  })
  await simulation.runUntil(() => isDone, { limitMs: 60_000 })
}

describe('requests that are gathered', () => {
  test('go out together, and what gathers meanwhile next; each has its own reply', () =>
    inWorld(async (world, sleep) => {
      const calls: Call[] = []
      const slowly: Fate = async (_, send) => {
        const call = send()
        calls.push(call)
        await sleep(5)
        return answered(call)
      }
      const queue = new BatchQueue(carrierOf(world, [slowly, slowly]), upperCase)
      const first = ['a', 'b', 'c', 'd'].map((each) => queue.submit(each, 1, {}, 1_000))
      expect(await Promise.all(first)).toEqual(['A', 'B', 'C', 'D'])
      expect(calls.map(({ requests, number }) => ({ requests, number }))).toEqual([
        { requests: ['a', 'b', 'c'], number: 1 },
        { requests: ['d'], number: 2 },
      ])
    }))

  test('are not sent once they were given up with the outcome none, though others of their batch are', () =>
    inWorld(async (world, sleep) => {
      const calls: Call[] = []
      const late: Fate = async (_, send) => {
        await sleep(200)
        calls.push(send())
        return answered(calls[0] as Call)
      }
      const queue = new BatchQueue(carrierOf(world, [late]), upperCase)
      const hurried = expect(queue.submit('hurried', 1, {}, 50)).rejects.toMatchObject({
        code: 'timeout',
        outcome: 'none',
      })
      const patient = queue.submit('patient', 1, {}, 1_000)
      await hurried
      expect(await patient).toBe('PATIENT')
      expect(calls.map(({ requests }) => requests)).toEqual([['patient']])
    }))

  test('are not sent after an attempt that surely did nothing, when they were given up in between', () =>
    inWorld(async (world, sleep) => {
      const calls: Call[] = []
      const refused: Fate = async (attempt, send) => {
        calls.push(send())
        await sleep(20)
        attempt.wasSent = false
        await sleep(60)
        return failed(false)
      }
      const taken: Fate = (_, send) => {
        const call = send()
        calls.push(call)
        return Promise.resolve(answered(call))
      }
      const queue = new BatchQueue(carrierOf(world, [refused, taken]), upperCase)
      const hurried = expect(queue.submit('hurried', 1, {}, 50)).rejects.toMatchObject({ outcome: 'none' })
      const patient = queue.submit('patient', 1, {}, 1_000)
      await hurried
      expect(await patient).toBe('PATIENT')
      expect(calls.map(({ requests }) => requests)).toEqual([['hurried', 'patient'], ['patient']])
    }))

  test('stay the same, under their number, from the first attempt on that may have been carried out', () =>
    inWorld(async (world, sleep) => {
      const calls: Call[] = []
      const lost: Fate = async (_, send) => {
        calls.push(send())
        await sleep(100)
        return failed(true)
      }
      const taken: Fate = (_, send) => {
        const call = send()
        calls.push(call)
        return Promise.resolve(answered(call))
      }
      const queue = new BatchQueue(carrierOf(world, [lost, taken]), upperCase)
      const hurried = expect(queue.submit('hurried', 1, {}, 50)).rejects.toMatchObject({ outcome: 'unknown' })
      const patient = queue.submit('patient', 1, {}, 1_000)
      await hurried
      expect(await patient).toBe('PATIENT')
      expect(calls).toEqual([
        { requests: ['hurried', 'patient'], number: 1, isRepeat: false },
        { requests: ['hurried', 'patient'], number: 1, isRepeat: true },
      ])
    }))

  test('of which the server has answered the first only: the others are the next batch', () =>
    inWorld(async (world) => {
      const part: Fate = (_, send) => Promise.resolve({ answer: [send().requests[0]?.toUpperCase() ?? ''] })
      const queue = new BatchQueue(carrierOf(world, [part, part]), upperCase)
      const replies = ['a', 'b'].map((each) => queue.submit(each, 1, {}, 1_000))
      expect(await Promise.all(replies)).toEqual(['A', 'B'])
    }))
})
