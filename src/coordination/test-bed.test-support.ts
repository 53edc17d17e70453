import { test } from 'vitest'
import type { Store } from '../contracts/store.ts'
import type { World } from '../contracts/world.ts'
import { openClusterNode } from '../engines/cluster/cluster-node.ts'
import { openClusterStore } from '../engines/cluster/cluster-store.ts'
import type { SimulatedProcess } from '../testing/world/simulated-process.ts'
import { Simulation } from '../testing/world/simulation.ts'
import type { Guarantee } from './guarantees.ts'

/** One process of the test, with a client of the store of its own. */
export interface App {
  readonly world: World
  readonly store: Store
  /** What the recipes must accept to run on this engine. */
  readonly accept: readonly Guarantee[]
}

/** What a test can do to its processes on any engine. The first one is called `app`. */
export interface Bed {
  spawn(name: string, main: (app: App) => Promise<void>): { crash(): void }
  process(name: string): { crash(): void }
  /** Nothing that the process sends arrives, and nothing reaches it, until the function that is returned is called. */
  isolate(name: string): () => void
  /** So much later than it is due may a thing be seen: the engine's resolution of expiry, and the slowness of what it runs on. */
  readonly lateMs: number
}

/** Where the tests of the recipes run: each on a store that is empty. */
export interface BedRunner {
  run<T>(body: (app: App, bed: Bed) => Promise<T>): Promise<T>
  readonly isSimulated: boolean
  /** After so long what one process has written has reached the others. */
  readonly settleMs: number
}

const node = { id: 1, address: 'node:7400' }

/** A simulated machine with a store node, and client processes on machines of their own that can be blocked, stopped and killed. */
export class TestBed implements Bed {
  readonly simulation: Simulation
  readonly lateMs = 500
  readonly #processes = new Map<string, SimulatedProcess>()

  constructor(seed: number) {
    this.simulation = new Simulation({ seed })
    this.simulation.process('node', async (world) => {
      await openClusterNode({ world, id: node.id, members: [node], clusterId: 'test' })
    })
  }

  spawn(name: string, main: (app: App) => Promise<void>): SimulatedProcess {
    const process = this.simulation.process(name, async (world) => {
      const store = openClusterStore(world, { endpoints: [node.address] })
      await main({ world, store, accept: [] })
    })
    this.#processes.set(name, process)
    return process
  }

  process(name: string): SimulatedProcess {
    const process = name === 'node' ? this.simulation.processes[0] : this.#processes.get(name)
    if (process === undefined) throw new Error(`no process ${name}`)
    return process
  }

  isolate(name: string): () => void {
    return this.simulation.network.isolate(name)
  }
}

/** Runs `body` as the process `app`. Fails when it has not ended after an hour of virtual time, or any process fails. */
export async function simulate<T>(body: (app: App, bed: TestBed) => Promise<T>, seed = 1): Promise<T> {
  const bed = new TestBed(seed)
  let result: { readonly value: T } | undefined
  bed.spawn('app', async (app) => {
    result = { value: await body(app, bed) }
  })
  await bed.simulation.runUntil(() => result !== undefined)
  return (result as { readonly value: T } | undefined)?.value as T
}

const simulated: BedRunner = { run: (body) => simulate(body), isSimulated: true, settleMs: 200 }
const chosen: { runner: BedRunner } = { runner: simulated }

/** The tests of the recipes that this process loads from now on run there. Default: the built-in engine in the simulator. */
export function runRecipesOn(runner: BedRunner): void {
  chosen.runner = runner
}

/** Runs `body` as the process `app` beside an engine. */
export function withBed<T>(body: (app: App, bed: Bed) => Promise<T>): Promise<T> {
  return chosen.runner.run(body)
}

/** A test that other engines cannot have, and why: listed there as skipped. */
export function testInSimulator(why: string, title: string, body: () => Promise<void>): void {
  if (chosen.runner.isSimulated) test(title, body)
  else test(title, ({ skip }) => skip(`needs the simulator: ${why}`))
}

/** How often to try: often in the simulator, where it costs nothing, and fewer times where each costs real time. */
export function attempts({ simulated, real }: { readonly simulated: number; readonly real: number }): number {
  return chosen.runner.isSimulated ? simulated : real
}

export function sleep(world: World, ms: number): Promise<void> {
  return new Promise((resolve) => {
    world.timers.after(ms, resolve)
  })
}

/** Lets what was written reach all who watch. */
export function settle(world: World): Promise<void> {
  return sleep(world, chosen.runner.settleMs)
}

/** Until `check` does not throw any more: half a minute at most, then with what it throws. */
export async function eventually(world: World, check: () => void | Promise<void>): Promise<void> {
  const endMs = world.clock.monotonicMs() + 30_000
  for (;;) {
    try {
      await check()
      return
    } catch (error) {
      if (world.clock.monotonicMs() > endMs) throw error
    }
    await sleep(world, 20)
  }
}

export async function keysUnder(store: Store, prefix: string): Promise<readonly string[]> {
  const { kvs } = await store.range({ key: prefix, end: `${prefix}\u00ff`, keysOnly: true })
  return kvs.map((kv) => kv.key)
}

/** Resolves with the signal's reason. */
export function aborted(signal: AbortSignal): Promise<unknown> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(signal.reason)
    else signal.addEventListener('abort', () => resolve(signal.reason), { once: true })
  })
}

/** The same store, but for some of its methods. */
export function overriding(store: Store, overrides: Partial<Store>): Store {
  return new Proxy(store, {
    get(target, name) {
      if (Object.hasOwn(overrides, name)) return Reflect.get(overrides, name)
      const value: unknown = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}
