import type { Store } from '../contracts/store.ts'
import type { World } from '../contracts/world.ts'
import { openClusterNode } from '../engines/cluster/cluster-node.ts'
import { openClusterStore } from '../engines/cluster/cluster-store.ts'
import type { SimulatedProcess } from '../testing/world/simulated-process.ts'
import { Simulation } from '../testing/world/simulation.ts'

/** One process of the test, with a client of the cluster of its own. */
export interface App {
  readonly world: World
  readonly store: Store
}

const node = { id: 1, address: 'node:7400' }

/** A simulated machine with a store node, and client processes on machines of their own that can be blocked, stopped and killed. */
export class TestBed {
  readonly simulation: Simulation
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
      await main({ world, store })
    })
    this.#processes.set(name, process)
    return process
  }

  process(name: string): SimulatedProcess {
    const process = name === 'node' ? this.simulation.processes[0] : this.#processes.get(name)
    if (process === undefined) throw new Error(`no process ${name}`)
    return process
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

export function sleep(world: World, ms: number): Promise<void> {
  return new Promise((resolve) => {
    world.timers.after(ms, resolve)
  })
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
