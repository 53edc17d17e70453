import { describe, expect, test } from 'vitest'
import { createDeferred, type Deferred } from '../../base/deferred.ts'
import { Simulation } from '../../testing/world/simulation.ts'
import type { World } from '../../contracts/world.ts'
import { dialStaggered, staggerMs } from './staggered-dial.ts'

class Dials {
  readonly begun: { readonly candidate: string; readonly atMs: number }[] = []
  readonly #answers = new Map<string, Deferred<string>>()
  readonly #nowMs: () => number

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
  }

  dial = (candidate: string): Promise<string> => {
    this.begun.push({ candidate, atMs: Math.round(this.#nowMs()) })
    return this.answer(candidate).promise
  }

  answer(candidate: string): Deferred<string> {
    const answer = this.#answers.get(candidate) ?? createDeferred<string>()
    this.#answers.set(candidate, answer)
    return answer
  }
}

async function inWorld(
  body: (world: World, dials: Dials, pause: (ms: number) => Promise<void>) => Promise<void>,
) {
  const simulation = new Simulation({ seed: 1 })
  let isDone = false
  simulation.process('client', async (world) => {
    const startMs = simulation.nowMs
    const pause = (ms: number) => new Promise<void>((resolve) => void world.timers.after(ms, resolve))
    await body(world, new Dials(() => simulation.nowMs - startMs), pause)
    isDone = true
  })
  await simulation.runUntil(() => isDone, { limitMs: 60_000 })
}

describe('dialling one after the other, a little apart', () => {
  test('a silent address costs the stagger, not its time limit', async () => {
    await inWorld(async (world, dials, pause) => {
      const result = dialStaggered(world.timers, ['dead', 'alive', 'unused'], dials.dial)
      await pause(staggerMs + 10)
      dials.answer('alive').resolve('connected')
      expect(await result).toBe('connected')
      await pause(10 * staggerMs)
      expect(dials.begun.map(({ candidate }) => candidate)).toEqual(['dead', 'alive'])
    })
  })

  test('an address that refuses is followed by the next at once', async () => {
    await inWorld(async (world, dials) => {
      dials.answer('a').reject(new Error('refused'))
      dials.answer('b').reject(new Error('refused'))
      dials.answer('c').resolve('c')
      expect(await dialStaggered(world.timers, ['a', 'b', 'c'], dials.dial)).toBe('c')
      expect(dials.begun.map(({ atMs }) => atMs)).toEqual([0, 0, 0])
    })
  })

  test('fails when every address has failed, with all the reasons', async () => {
    await inWorld(async (world, dials) => {
      for (const candidate of ['a', 'b']) dials.answer(candidate).reject(new Error(candidate))
      await expect(dialStaggered(world.timers, ['a', 'b'], dials.dial)).rejects.toMatchObject({
        errors: [{ message: 'a' }, { message: 'b' }],
      })
      await expect(dialStaggered(world.timers, [], dials.dial)).rejects.toMatchObject({ errors: [] })
    })
  })

  test('at most eight are under way at once, and the rest have their turn', async () => {
    await inWorld(async (world, dials, pause) => {
      const candidates = Array.from({ length: 12 }, (_, i) => `n${i}`)
      const result = dialStaggered(world.timers, candidates, dials.dial)
      await pause(20 * staggerMs)
      expect(dials.begun).toHaveLength(8)
      dials.answer('n0').reject(new Error('refused'))
      await pause(1)
      expect(dials.begun).toHaveLength(9)
      dials.answer('n8').resolve('n8')
      expect(await result).toBe('n8')
    })
  })
})
