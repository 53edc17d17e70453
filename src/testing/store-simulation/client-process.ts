import type { Credentials } from '../../access/access-control.ts'
import { asAlthingError } from '../../contracts/errors.ts'
import type { World } from '../../contracts/world.ts'
import { type ClusterStore, openClusterStore } from '../../engines/cluster/cluster-store.ts'
import { SeededRandom } from '../world/seeded-random.ts'
import type { SimulatedProcess } from '../world/simulated-process.ts'
import type { Simulation } from '../world/simulation.ts'
import type { StoreConfiguration } from './configuration.ts'
import type { Observations } from './observations.ts'
import type { Tokens } from './outsiders.ts'

/** What a client's program gets. */
export interface ClientContext {
  readonly world: World
  readonly store: ClusterStore
  /** Of this life of the process: never the same twice. */
  readonly name: string
  readonly random: SeededRandom
  readonly configuration: StoreConfiguration
  readonly observations: Observations
  /** Of the nodes 1, 2, … */
  readonly endpoints: readonly string[]
  /** Where access control is on. */
  readonly credentials?: Credentials
  /** True time. */
  nowMs(): number
  /** The clients are asked to come to an end. */
  isStopping(): boolean
}

export type ClientProgram = (context: ClientContext) => Promise<void>

export interface ClientOptions {
  readonly simulation: Simulation
  readonly configuration: StoreConfiguration
  readonly observations: Observations
  readonly endpoints: readonly string[]
  /** The group whose store the clients use. Default: the cluster's own. */
  readonly group?: string
  /** Where access control is on: they are there once it is. */
  readonly tokens?: Tokens
  isStopping(): boolean
}

/** One client on a machine of its own. Started anew after a crash, its program begins again under a new name. */
export class ClientProcess {
  readonly process: SimulatedProcess
  #isDone = false

  constructor(options: ClientOptions, name: string, program: ClientProgram) {
    this.process = options.simulation.process(name, (world) => this.#run(options, name, program, world))
  }

  /** Its program came to its end in the present life of the process. */
  get isDone(): boolean {
    return this.#isDone
  }

  async #run(options: ClientOptions, name: string, program: ClientProgram, world: World): Promise<void> {
    const { simulation, configuration, observations, endpoints, isStopping } = options
    const life = `${name}.${this.process.startCount}`
    const random = simulation.random(`client/${life}`)
    this.#isDone = false
    const { tokens } = options
    while (tokens !== undefined && tokens.reader === undefined) await sleep(world, 20)
    const credentials = tokens?.root === undefined ? {} : { credentials: { token: tokens.root } }
    const store = openClusterStore(world, {
      endpoints: random.shuffle(endpoints),
      timeoutMs: configuration.callTimeoutMs,
      ...(options.group === undefined ? {} : { group: options.group }),
      ...credentials,
    })
    const nowMs = (): number => simulation.nowMs
    const shared = { configuration, observations, endpoints, nowMs, isStopping, ...credentials }
    await program({ world, store, name: life, random, ...shared })
    await store.close()
    this.#isDone = true
  }
}

/** Waits a while that is drawn around the mean, and is at most four times as long: the end of a run waits for it. */
export function think(
  { world, random }: Pick<ClientContext, 'world' | 'random'>,
  meanMs: number,
): Promise<void> {
  return sleep(world, Math.min(random.exponential(meanMs), 4 * meanMs))
}

export function sleep(world: World, ms: number): Promise<void> {
  return new Promise((resolve) => world.timers.after(ms, resolve))
}

/** Failures that a client must be ready for. All others are defects. */
const expected: ReadonlySet<string> = new Set([
  'timeout',
  'unavailable',
  'overloaded',
  'closed',
  'node-failed',
  'session-expired',
  'aborted',
  'no-space',
])

/** Runs `call`; `undefined` when it failed in a way that a client must be ready for, or with one of `codes`. */
export async function attempt<T>(
  { observations, name }: { readonly name: string; readonly observations: Pick<Observations, 'violated'> },
  call: () => Promise<T>,
  codes: readonly string[] = [],
): Promise<T | undefined> {
  try {
    return await call()
  } catch (error) {
    const { code, message } = asAlthingError(error)
    if (!expected.has(code) && !codes.includes(code)) {
      observations.violated(
        'expected-failures',
        `${name} got an error that nothing explains: ${message} [${code}]`,
      )
    }
    return undefined
  }
}
