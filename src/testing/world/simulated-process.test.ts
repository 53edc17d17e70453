import { describe, expect, test } from 'vitest'
import type { World } from '../../contracts/world.ts'
import { epochMs } from './simulated-clock.ts'
import { Simulation } from './simulation.ts'

function ticking(log: (string | number)[], everyMs = 10) {
  return (world: World): void => {
    const tick = (): void => {
      log.push(world.clock.monotonicMs())
      world.timers.after(everyMs, tick)
    }
    world.timers.after(everyMs, tick)
  }
}

describe('a simulated process', () => {
  test('timers run in the order of their time, then of their setting; immediates after what is waiting', async () => {
    const simulation = new Simulation({ seed: 1 })
    const log: string[] = []
    simulation.process('p', (world) => {
      world.timers.after(2, () => log.push('late'))
      world.timers.after(1, () => {
        log.push('first')
        world.timers.immediate(() => log.push('immediate'))
      })
      world.timers.after(1, () => log.push('second'))
      world.timers.after(1, () => log.push('never')).cancel()
    })
    await simulation.runUntil(10)
    expect(log).toEqual(['first', 'second', 'immediate', 'late'])
  })

  test('a crash ends timers and promises for good; a restart runs main again', async () => {
    const simulation = new Simulation({ seed: 1 })
    const log: string[] = []
    const process = simulation.process('p', async (world) => {
      log.push('start')
      await new Promise<void>((resolve) => world.timers.after(10, resolve))
      log.push('ten')
      await world.disk.list('')
      log.push('listed')
    })
    await simulation.runUntil(10)
    const exited = process.exited
    process.restart()
    expect(await exited).toMatchObject({ reason: 'crashed' })
    await simulation.runUntil(1_000)
    expect(log).toEqual(['start', 'ten', 'start', 'ten', 'listed'])
  })

  test('a dead process cannot act, even from code that still runs', async () => {
    const simulation = new Simulation({ seed: 1 })
    const log: string[] = []
    let left: World | undefined
    const process = simulation.process('p', (world) => {
      left = world
    })
    await simulation.runUntil(1)
    process.crash()
    left?.timers.after(1, () => log.push('timer'))
    left?.timers.immediate(() => log.push('immediate'))
    void left?.disk.makeDirectory('d').then(() => log.push('disk'))
    void left?.network.listen('p:1', () => {}).then(() => log.push('listening'))
    left?.logger.log('info', 'alive')
    await simulation.runUntil(100)
    expect([log, process.log.lines, process.disk.names.list('')]).toEqual([[], [], []])
  })

  test('a pause holds everything while the clock goes on; what came due runs at the resumption', async () => {
    const simulation = new Simulation({ seed: 1 })
    const log: number[] = []
    const process = simulation.process('p', ticking(log))
    await simulation.runUntil(25)
    const originMs = process.clock.monotonicMs() - 25
    process.pause()
    await simulation.runUntil(500)
    process.resume()
    await simulation.runUntil(515)
    expect(log.map((ms) => Math.round(ms - originMs))).toEqual([10, 20, 500, 510])
  })

  test('after a pause timers and frames mix in an order of the seed, each in its own order', async () => {
    const orders = new Set<string>()
    for (let seed = 0; seed < 12; seed++) orders.add(await orderAfterPause(seed))
    expect(orders.size).toBeGreaterThan(3)
    for (const order of orders) {
      expect(order.replace(/t\d/g, '')).toBe('f1f2f3')
      expect(order.replace(/f\d/g, '')).toBe('t1t2t3')
    }
  })

  test('what comes in at the very moment of the resumption does not overtake what was held', async () => {
    const simulation = new Simulation({ seed: 1 })
    const log: string[] = []
    simulation.after(50, () => simulation.processes[0]?.resume())
    const process = simulation.process('p', (world) => {
      for (const ms of [10, 20, 50]) world.timers.after(ms, () => log.push(`t${ms}`))
    })
    await simulation.runUntil(5)
    process.pause()
    await simulation.runUntil(100)
    expect(log).toEqual(['t10', 't20', 't50'])
  })

  test('a blocked loop stalls the main thread only', async () => {
    const simulation = new Simulation({ seed: 1 })
    const main: number[] = []
    const thread: number[] = []
    const process = simulation.process('p', (world) => {
      ticking(main)(world)
      world.threads.start({ moduleUrl: '', exportName: '', run: ticking(thread) }, null)
    })
    await simulation.runUntil(55)
    process.blockLoop(100)
    await simulation.runUntil(154)
    expect([main.length, thread.length]).toEqual([5, 15])
    await simulation.runUntil(200)
    expect(main.length).toBeGreaterThan(5)
    process.pause()
    const count = thread.length
    await simulation.runUntil(400)
    expect(thread.length).toBe(count)
  })

  test('a fast clock fires its timers early, a slowed one not before their time', async () => {
    const simulation = new Simulation({ seed: 1 })
    const fired: Record<string, number> = {}
    const main = (name: string) => (world: World) => {
      const startMs = world.clock.monotonicMs()
      world.timers.after(1_000, () => {
        expect(world.clock.monotonicMs() - startMs).toBeGreaterThanOrEqual(1_000 - 1e-3)
        fired[name] = simulation.nowMs
      })
    }
    simulation.process('fast', main('fast')).clock.setRate(1.01)
    const slow = simulation.process('slow', main('slow'))
    await simulation.runUntil(500)
    slow.clock.setRate(0.5)
    await simulation.runUntil(2_000)
    expect(fired['fast']).toBeCloseTo(990.1, 1)
    expect(fired['slow']).toBeCloseTo(1_500, 1)
  })

  test('a step moves the wall clock and not the monotonic one', async () => {
    const simulation = new Simulation({ seed: 1 })
    const { clock } = simulation.process('p', () => {})
    await simulation.runUntil(100)
    expect(clock.wallMs()).toBe(epochMs + 100)
    const before = clock.monotonicMs()
    clock.stepWall(-60_000)
    expect(clock.wallMs()).toBe(epochMs + 100 - 60_000)
    expect(clock.monotonicMs()).toBe(before)
  })

  test('the log keeps lines over restarts, with a bound', async () => {
    const simulation = new Simulation({ seed: 1 })
    const process = simulation.process('p', (world) => {
      for (let i = 0; i < 1_500; i++) world.logger.log('info', 'line', { i })
    })
    await simulation.runUntil(1)
    process.restart()
    await simulation.runUntil(2)
    expect(process.log.lines.length).toBe(1_000)
    expect(process.log.lines.at(-1)).toMatchObject({ level: 'info', message: 'line', fields: { i: 1_499 } })
  })
})

describe('threads', () => {
  test('exchange clones in order, with shared memory shared, and exit when nothing is left to do', async () => {
    const simulation = new Simulation({ seed: 1 })
    const log: unknown[] = []
    simulation.process('p', (world) => {
      const shared = new Int32Array(new SharedArrayBuffer(4))
      const thread = world.threads.start(
        {
          moduleUrl: '',
          exportName: 'run',
          run: (inner, channel, data: { cells: Int32Array; list: number[] }) => {
            data.list.push(4)
            data.cells[0] = 7
            inner.timers.after(5, () => {
              channel.post(data.list)
              channel.post('bye')
            })
          },
        },
        { cells: shared, list: [1] },
      )
      thread.onMessage((message) => log.push(message))
      thread.onExit((error) => log.push(`exit ${error} ${shared[0]}`))
    })
    await simulation.runUntil(100)
    expect(log).toEqual([[1, 4], 'bye', 'exit undefined 7'])
  })

  test('a failure goes to the one who watches; a stopped thread does nothing more', async () => {
    const simulation = new Simulation({ seed: 1 })
    const log: unknown[] = []
    const ticks: number[] = []
    simulation.process('p', (world) => {
      const failing = world.threads.start(
        {
          moduleUrl: '',
          exportName: '',
          run: (inner) => void inner.timers.after(3, () => Promise.reject(new Error('boom'))),
        },
        null,
      )
      failing.onExit((error) => log.push(error?.message))
      const stopped = world.threads.start({ moduleUrl: '', exportName: '', run: ticking(ticks) }, null)
      stopped.onExit(() => log.push('stopped'))
      world.timers.after(25, () => void stopped.stop())
    })
    await simulation.runUntil(100)
    expect(log).toEqual(['boom'])
    expect(ticks.length).toBe(2)
  })
})

async function orderAfterPause(seed: number): Promise<string> {
  const simulation = new Simulation({ seed })
  let order = ''
  const process = simulation.process('p', async (world) => {
    for (const i of [1, 2, 3]) world.timers.after(100 + i, () => void (order += `t${i}`))
    await world.network.listen('p:1', (connection) => {
      connection.handle({ frame: (frame) => void (order += `f${frame[0]}`), closed() {} })
    })
  })
  simulation.process('q', async (world) => {
    await new Promise<void>((resolve) => world.timers.after(10, resolve))
    const connection = await world.network.connect('p:1')
    connection.handle({ frame() {}, closed() {} })
    for (const i of [1, 2, 3]) world.timers.after(80 + i, () => connection.send(new Uint8Array([i])))
  })
  await simulation.runUntil(50)
  process.pause()
  await simulation.runUntil(200)
  process.resume()
  await simulation.runUntil(300)
  return order
}
