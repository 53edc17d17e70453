import { describe, expect, test } from 'vitest'
import type { World } from '../../contracts/world.ts'
import { Simulation } from './simulation.ts'
import { SimulationError } from './simulation-error.ts'

/** Two processes that talk, keep time and write files, with plenty of chance in it. */
function chatter(seed: number): Simulation {
  const simulation = new Simulation({ seed })
  const main = (own: string, other: string) => async (world: World) => {
    await world.network.listen(`${own}:1`, (connection) => {
      connection.handle({ frame: (frame) => connection.send(frame), closed() {} })
    })
    const file = await world.disk.open('log', { create: true })
    world.timers.after(5, async () => {
      const connection = await world.network.connect(`${other}:1`, { delivery: 'datagram' })
      let offset = 0
      const frame = async (bytes: Uint8Array): Promise<void> => {
        await file.writeDurably(offset, [bytes])
        offset += bytes.byteLength
        if (offset > 10_000) return
        world.timers.after(world.random.float() * 3, () => connection.send(world.random.bytes(20)))
      }
      connection.handle({ frame, closed() {} })
      connection.send(new Uint8Array([1]))
    })
  }
  simulation.network.setBase({ delayMsMean: 2, duplicateRate: 0.1, reorderRate: 0.1 })
  simulation.process('a', main('a', 'b'))
  simulation.process('b', main('b', 'a'))
  return simulation
}

describe('the simulation', () => {
  test('the same seed twice gives the same log, another seed another', async () => {
    const hashes: string[] = []
    for (const seed of [7, 7, 8]) {
      const simulation = chatter(seed)
      await simulation.runUntil(2_000)
      expect(simulation.log.count).toBeGreaterThan(1_000)
      hashes.push(simulation.logHash)
    }
    expect(hashes[0]).toBe(hashes[1])
    expect(hashes[0]).not.toBe(hashes[2])
  })

  test('the same seed gives the same log when two simulations run side by side', async () => {
    const simulations = [chatter(7), chatter(8), chatter(7)]
    await Promise.all(simulations.map((simulation) => simulation.runUntil(1_000)))
    const alone = chatter(7)
    await alone.runUntil(1_000)
    expect(simulations.map((simulation) => simulation.logHash === alone.logHash)).toEqual([true, false, true])
  })

  test('all microtasks of an event run before the next event, however deep the chain of awaits', async () => {
    const simulation = new Simulation({ seed: 1 })
    const unfinished = new Set<number>()
    const seen: number[] = []
    simulation.process('p', (world) => {
      for (let i = 0; i < 2_000; i++) {
        world.timers.after(i % 7, async () => {
          seen.push(unfinished.size)
          unfinished.add(i)
          for (let depth = 0; depth < i % 50; depth++) await Promise.resolve().then(async () => null)
          unfinished.delete(i)
        })
      }
    })
    await simulation.runUntil(100)
    expect(seen).toEqual(new Array(2_000).fill(0))
  })

  test('a draw from one stream does not shift another', () => {
    const a = new Simulation({ seed: 5 })
    const b = new Simulation({ seed: 5 })
    a.random('x').float()
    const drawn = a.random('y')
    drawn.fork('z').float()
    expect(drawn.integer(0, 1e9)).toBe(b.random('y').integer(0, 1e9))
    expect(a.random('y').integer(0, 1e9)).not.toBe(a.random('x').integer(0, 1e9))
  })

  test('runs to a predicate and stops right there', async () => {
    const simulation = new Simulation({ seed: 1 })
    let count = 0
    simulation.process('p', (world) => {
      const tick = (): void => {
        count++
        world.timers.after(10, tick)
      }
      tick()
    })
    await simulation.runUntil(() => count === 5)
    expect(simulation.nowMs).toBe(40)
    await simulation.runUntil(100)
    expect([count, simulation.nowMs]).toEqual([11, 100])
  })

  test('fails with its seed when the predicate does not come true in time', async () => {
    const simulation = new Simulation({ seed: 42 })
    simulation.process('p', (world) => {
      const tick = (): void => void world.timers.after(10, tick)
      tick()
    })
    await expect(simulation.runUntil(() => false, { limitMs: 1_000 })).rejects.toThrow(
      /1000 ms \(seed 42, at 1000 ms\)/,
    )
  })

  test('fails when nothing is left to happen', async () => {
    const simulation = new Simulation({ seed: 42 })
    await expect(simulation.runUntil(() => false)).rejects.toThrow(/nothing is left/)
  })

  test('fails past its bound of events', async () => {
    const simulation = new Simulation({ seed: 1, eventsMax: 1_000 })
    simulation.process('p', (world) => {
      const spin = (): void => world.timers.immediate(spin)
      spin()
    })
    await expect(simulation.runUntil(10)).rejects.toThrow(/more than 1000 events/)
  })

  const failures: [string, (world: World) => Promise<void> | void][] = [
    ['main throws', () => fail()],
    ['main rejects', async () => fail()],
    ['a timer throws', (world) => void world.timers.after(1, fail)],
    [
      'a rejection is not handled',
      (world) => void world.timers.after(1, () => void Promise.reject(new Error('boom'))),
    ],
    ['a microtask throws', (world) => void world.timers.after(1, () => queueMicrotask(fail))],
    [
      'a thread that nobody watches fails',
      (world) => void world.threads.start({ moduleUrl: '', exportName: '', run: fail }, null),
    ],
  ]
  test.each(failures)('fails with seed, process and time when %s', async (_, main) => {
    const simulation = new Simulation({ seed: 9 })
    simulation.process('calm', (world) => void world.timers.after(1, () => {}))
    const process = simulation.process('p', main)
    const error = await simulation.runUntil(50).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(SimulationError)
    expect((error as Error).message).toMatch(/process p failed \(seed 9, at .* ms\): Error: boom/)
    expect(await process.exited).toMatchObject({ reason: 'failed', error: { message: 'boom' } })
  })

  test('a failure by design ends the process alone', async () => {
    const simulation = new Simulation({ seed: 9 })
    const process = simulation.process('p', async () => fail(), {
      acceptExit: (exit) => exit.reason === 'failed',
    })
    await simulation.runUntil(50)
    expect(process.isRunning).toBe(false)
    process.start()
    await simulation.runUntil(60)
    expect(process.startCount).toBe(2)
  })

  test('the handlers of the hosting process are back in place after a run', async () => {
    const before = process.rawListeners('unhandledRejection')
    await new Simulation({ seed: 1 }).runUntil(10)
    expect(process.rawListeners('unhandledRejection')).toEqual(before)
  })
})

function fail(): never {
  throw new Error('boom')
}
