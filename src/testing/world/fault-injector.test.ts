import { describe, expect, test } from 'vitest'
import type { Connection, World } from '../../contracts/world.ts'
import { type FaultClass, faultClasses } from './fault-classes.ts'
import { FaultInjector } from './fault-injector.ts'
import { drawFaultPlan, parseFaultClasses } from './fault-plan.ts'
import { SeededRandom } from './seeded-random.ts'
import type { SimulatedProcess } from './simulated-process.ts'
import { Simulation } from './simulation.ts'
import { minorityOf, nothingStops } from './survivability.ts'

const names = ['a', 'b', 'c']

/** Writes every 10 ms, and sends a datagram to each peer every 20 ms over connections that it renews. */
function worker(own: string, received: Map<string, number>) {
  return async (world: World): Promise<void> => {
    await world.network.listen(`${own}:1`, (connection) => {
      const frame = (): void => void received.set(own, (received.get(own) ?? 0) + 1)
      connection.handle({ frame, closed() {} })
    })
    for (const peer of names.filter((name) => name !== own)) keepTalking(world, `${peer}:1`)
    const file = await world.disk.open('log', { create: true })
    await world.disk.syncDirectory('')
    await file.read(0, 700)
    const write = async (turn: number): Promise<void> => {
      await file.writeDurably((turn % 64) * 700, [new Uint8Array(700).fill(turn)])
      world.timers.after(10, () => void write(turn + 1))
    }
    await write(0)
  }
}

function keepTalking(world: World, address: string): void {
  const talk = (connection: Connection): void => {
    let isOpen = true
    connection.handle({
      frame() {},
      closed: () => {
        isOpen = false
        retry()
      },
    })
    const send = (): void => {
      if (!isOpen) return
      connection.send(new Uint8Array(100))
      world.timers.after(20, send)
    }
    send()
  }
  const retry = (): void =>
    void world.timers.after(50, () =>
      world.network.connect(address, { delivery: 'datagram' }).then(talk, retry),
    )
  retry()
}

interface Cluster {
  readonly simulation: Simulation
  readonly processes: SimulatedProcess[]
  readonly received: Map<string, number>
}

function cluster(seed: number): Cluster {
  const simulation = new Simulation({ seed })
  const received = new Map<string, number>()
  const processes = names.map((name) =>
    simulation.process(name, worker(name, received), { acceptExit: () => true }),
  )
  return { simulation, processes, received }
}

function injectorFor(all: Cluster, seed: number, classes: readonly FaultClass[]): FaultInjector {
  const plan = drawFaultPlan(new SeededRandom(seed), classes)
  const injector: FaultInjector = new FaultInjector(all.simulation, {
    processes: all.processes,
    plan,
    rule: minorityOf(all.processes),
    onDamage: (process) => {
      process.disk.wipe()
      all.simulation.after(700, () => {
        injector.rebuilt(process)
        injector.revive(process)
      })
    },
  })
  return injector
}

describe('the fault injector', () => {
  test.each(faultClasses)('makes %s happen, writes it to the log, and heals', async (name) => {
    const all = cluster(3)
    const { simulation, processes, received } = all
    const injector = injectorFor(all, 3, [name])
    await simulation.runUntil(500)
    injector.start()
    await simulation.runUntil(() => (injector.counts.get(name) ?? 0) >= 2, { limitMs: 200_000 })
    expect(injector.injected.every((injected) => injected.fault === name)).toBe(true)
    expect(
      simulation.log
        .recent()
        .some((event) => event.kind === 'fault' && String(event.detail).startsWith(name)),
    ).toBe(true)
    injector.heal()
    await simulation.runUntil(simulation.nowMs + 10_000)
    received.clear()
    const countBefore = injector.injected.length
    await simulation.runUntil(simulation.nowMs + 1_000)
    expect(injector.injected.length).toBe(countBefore)
    expect(processes.map((process) => [process.isRunning, process.isPaused, process.clock.rate])).toEqual(
      names.map(() => [true, false, 1]),
    )
    expect(names.map((host) => Math.round((received.get(host) ?? 0) / 10))).toEqual([10, 10, 10])
  })

  test('all classes together: two runs of a seed are alike, and every class occurs over some seeds', async () => {
    const totals = new Map<string, number>()
    for (const seed of [1, 1, 2, 3, 4, 5, 6, 7, 8]) {
      const all = cluster(seed)
      const injector = injectorFor(all, seed, faultClasses)
      injector.start()
      await all.simulation.runUntil(5_000)
      totals.set(`seed ${seed}`, (totals.get(`seed ${seed}`) ?? 0) + 1)
      totals.set(
        `${seed} ${all.simulation.logHash}`,
        (totals.get(`${seed} ${all.simulation.logHash}`) ?? 0) + 1,
      )
      for (const [name, count] of injector.counts) totals.set(name, (totals.get(name) ?? 0) + count)
    }
    expect([...totals].filter(([key]) => key.startsWith('1 ')).map(([, count]) => count)).toEqual([2])
    expect(faultClasses.filter((name) => (totals.get(name) ?? 0) === 0)).toEqual([])
  })

  test('starts again what ends only after the healing, of a fault before it', async () => {
    const { simulation, processes } = cluster(3)
    const injector = new FaultInjector(simulation, {
      processes,
      plan: new Map(),
      rule: minorityOf(processes),
    })
    await simulation.runUntil(100)
    injector.heal()
    processes[0]?.crash()
    await simulation.runUntil(1_000)
    expect(processes[0]?.isRunning).toBe(false)
    await simulation.runUntil(3_000)
    expect(processes[0]?.isRunning).toBe(true)
  })

  test('never damages more than a minority at a time', async () => {
    const { simulation, processes } = cluster(5)
    const injector = new FaultInjector(simulation, {
      processes,
      plan: new Map(),
      rule: minorityOf(processes),
      onDamage() {},
    })
    await simulation.runUntil(100)
    expect([injector.inject('bit-flip'), injector.inject('misdirected-write')]).toEqual([true, false])
    const [damaged] = [...injector.damaged]
    expect(damaged?.isRunning).toBe(false)
    injector.heal()
    expect(damaged?.isRunning).toBe(false)
    if (damaged !== undefined) injector.rebuilt(damaged)
    expect(injector.inject('bit-flip')).toBe(true)
  })

  test('flips no bit when nobody rebuilds, and stops nothing when the rule forbids it', async () => {
    const { simulation, processes } = cluster(5)
    const injector = new FaultInjector(simulation, { processes, plan: new Map(), rule: nothingStops })
    await simulation.runUntil(100)
    const stopping: FaultClass[] = [
      'crash',
      'restart',
      'torn-write',
      'write-error',
      'read-error',
      'disk-full',
      'bit-flip',
      'misdirected-write',
    ]
    expect(stopping.map((name) => injector.inject(name))).toEqual(stopping.map(() => false))
  })
})

describe('the fault plan', () => {
  test('is the same for a seed and differs between seeds', () => {
    const draw = (seed: number) => [...drawFaultPlan(new SeededRandom(seed), faultClasses)]
    expect(draw(4)).toEqual(draw(4))
    expect(draw(4)).not.toEqual(draw(5))
    const sizes = new Set(Array.from({ length: 50 }, (_, seed) => draw(seed).length))
    expect(sizes.size).toBeGreaterThan(5)
  })

  test('reads the classes from text and refuses unknown ones', () => {
    expect(parseFaultClasses('all')).toEqual(faultClasses)
    expect(parseFaultClasses('none')).toEqual([])
    expect(parseFaultClasses('pause, crash')).toEqual(['crash', 'pause'])
    expect(() => parseFaultClasses('crash,bogus')).toThrow(/faults is "bogus"/)
  })
})
