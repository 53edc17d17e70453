import type { StoreCapabilities } from '../../contracts/store.ts'
import type { World } from '../../contracts/world.ts'
import { Simulation } from '../../testing/world/simulation.ts'
import { SharedLogStore, type SharedLogStoreOptions } from './shared-log-store.ts'
import { type LogFaults, noFaults, SimulatedLogServer } from './simulated-log.test-support.ts'

export const capabilities: StoreCapabilities = {
  linearizable: true,
  durability: 'disk',
  leaseSurvivesFailover: true,
  timeAuthority: 'server',
  leaseExpiryResolutionMs: 2_000,
  fencing: true,
  watchResume: true,
  exactlyOnce: true,
}

/** Everything that may happen to a message, often. */
export const manyFaults: LogFaults = {
  lostAppend: 0.03,
  lostAcknowledgement: 0.05,
  doubledAppend: 0.05,
  brokenReader: 0.01,
  lostMessage: 0.005,
  lostConnection: 0.005,
  delayMsMax: 20,
}

/** Runs `body` as the only process of a simulation with this seed, and returns what it returns. */
export async function simulateSeed<T>(seed: number, body: (lab: Lab) => Promise<T>): Promise<T> {
  const simulation = new Simulation({ seed })
  let result: { readonly value: T } | { readonly error: unknown } | undefined
  simulation.process('app', async (world) => {
    try {
      result = { value: await body(new Lab(world)) }
    } catch (error) {
      result = { error }
    }
  })
  await simulation.runUntil(() => result !== undefined, { limitMs: 24 * 3_600_000 })
  if (result === undefined || 'error' in result) throw result?.error
  return result.value
}

/** A simulated log and stores on it. */
export class Lab {
  readonly world: World
  readonly server: SimulatedLogServer

  constructor(world: World) {
    this.world = world
    this.server = new SimulatedLogServer(world)
  }

  open(options: Partial<SharedLogStoreOptions> = {}): Promise<SharedLogStore> {
    return SharedLogStore.open(this.world, this.server.connect(), {
      capabilities,
      keepRevisions: 0,
      keepMs: 0,
      ...options,
    })
  }

  several(count: number, options: Partial<SharedLogStoreOptions> = {}): Promise<SharedLogStore[]> {
    return Promise.all(Array.from({ length: count }, () => this.open(options)))
  }

  pass(ms: number): Promise<void> {
    return new Promise((resolve) => this.world.timers.after(ms, resolve))
  }

  /** The hashes of the copies once all faults have healed and each has come to the end of the log. */
  async settledHashes(stores: readonly SharedLogStore[]): Promise<readonly string[]> {
    this.server.faults = noFaults
    for (;;) {
      const { last } = this.server
      if (stores.every(({ host }) => host.sequence === last)) break
      await this.pass(100)
    }
    return stores.map(({ host }) => JSON.stringify(host.stateHash()))
  }
}

export async function put(
  store: SharedLogStore,
  key: string,
  text: string,
  timeoutMs = 5_000,
): Promise<number> {
  const value = Buffer.from(text)
  return (await store.txn({ then: [{ op: 'put', key, value }] }, { timeoutMs })).revision
}

export async function get(store: SharedLogStore, key: string): Promise<string | undefined> {
  const value = (await store.range({ key })).kvs[0]?.value
  return value === undefined ? undefined : Buffer.from(value).toString()
}
