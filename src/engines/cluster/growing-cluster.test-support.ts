import { byteStringFromText, bytesFromText, textFromBytes } from '../../base/bytes.ts'
import { type AlthingError, asAlthingError, isAlthingError } from '../../contracts/errors.ts'
import type { Store } from '../../contracts/store.ts'
import type { World } from '../../contracts/world.ts'
import type { SimulatedProcess } from '../../testing/world/simulated-process.ts'
import { Simulation } from '../../testing/world/simulation.ts'
import { type ClusterNode, type ClusterNodeOptions, openClusterNode } from './cluster-node.ts'
import { type ClusterStore, openClusterStore } from './cluster-store.ts'
import { decodeJoinToken } from './membership/join-token.ts'
import { NodeClient } from './node-client.ts'
import type { Plain } from './operator-calls.ts'

export type Answer = Readonly<Record<string, Plain>>

export const sleep = (world: World, ms: number) =>
  new Promise<void>((resolve) => world.timers.after(ms, resolve))

export async function eventually(world: World, what: string, isTrue: () => boolean): Promise<void> {
  for (let n = 0; n < 1_200; n++) {
    if (isTrue()) return
    await sleep(world, 50)
  }
  throw new Error(`not within a minute: ${what}`)
}

/** A simulated cluster whose members come and go. */
export class GrowingCluster {
  readonly simulation: Simulation
  readonly nodes = new Map<number, ClusterNode>()
  /** How a node ended by itself. */
  readonly ends = new Map<number, AlthingError>()
  readonly #processes = new Map<number, SimulatedProcess>()
  readonly #options: Partial<ClusterNodeOptions>
  readonly #worldOf: (id: number, world: World) => World

  /** `worldOf`: what node `id` is given as its world. */
  constructor(
    seed: number,
    size = 3,
    options: Partial<ClusterNodeOptions> = {},
    worldOf: (id: number, world: World) => World = (_, world) => world,
  ) {
    this.simulation = new Simulation({ seed })
    this.#options = options
    this.#worldOf = worldOf
    const members = Array.from({ length: size }, (_, i) => ({ id: i + 1, address: `node${i + 1}:7400` }))
    for (const { id } of members) this.#start(id, { members })
  }

  /** The machine that the token was made for. */
  join(text: string, address?: string): number {
    const { id, members, secret } = decodeJoinToken(text)
    const self = { id, address: address ?? `node${id}:7400` }
    this.#start(id, { members: [...members, self], join: { secret } })
    return id
  }

  processOf(id: number): SimulatedProcess {
    return this.#processes.get(id) as SimulatedProcess
  }

  get running(): ClusterNode[] {
    return [...this.nodes.values()].filter(({ id }) => this.processOf(id).isRunning && !this.ends.has(id))
  }

  get leader(): ClusterNode | undefined {
    return this.running.find(({ host }) => host.group.isLeaderReady)
  }

  get voters(): readonly number[] {
    return this.leader?.host.group.configuration.voters ?? []
  }

  /** Runs `body` as a client process to its end. */
  async client(body: (world: World) => Promise<void>, limitMs = 600_000): Promise<void> {
    let isDone = false
    this.simulation.process(`client${this.simulation.processes.length}`, async (world) => {
      await eventually(world, 'a leader', () => this.leader !== undefined)
      await body(world)
      isDone = true
    })
    await this.simulation.runUntil(() => isDone, { limitMs })
  }

  store(world: World, group?: string): ClusterStore {
    const endpoints = this.running.map(({ address }) => address)
    return openClusterStore(world, {
      endpoints,
      timeoutMs: 10_000,
      ...(group === undefined ? {} : { group }),
    })
  }

  /** An operator's call at some node that runs, or at `at`; made again for as long as there is no leader. */
  async operate(world: World, name: string, argument: Plain = null, at?: number): Promise<Answer> {
    for (;;) {
      try {
        return await this.#operateOnce(world, name, argument, at)
      } catch (error) {
        if (!isAlthingError(error, 'unavailable') || error.outcome !== 'none') throw error
        await sleep(world, 200)
      }
    }
  }

  async #operateOnce(world: World, name: string, argument: Plain, at?: number): Promise<Answer> {
    const node = this.running.find(({ id }) => id === at) ?? this.running[0]
    const client = await NodeClient.open(world, node?.address ?? '', { timeoutMs: 60_000 })
    try {
      return (await client.operate(name, argument)) as Answer
    } finally {
      client.close()
    }
  }

  /** Why a call fails. */
  async refusal(world: World, name: string, argument: Plain): Promise<AlthingError> {
    return this.operate(world, name, argument).then(
      () => {
        throw new Error(`${name} was not refused`)
      },
      (error: unknown) => asAlthingError(error),
    )
  }

  async add(world: World, argument: Plain = null): Promise<number> {
    const { token } = await this.operate(world, 'member.add', argument)
    return this.join(String(token))
  }

  async addVoter(world: World): Promise<number> {
    const id = await this.add(world)
    await eventually(world, `node ${id} votes`, () => this.voters.includes(id))
    return id
  }

  #start(id: number, place: Pick<ClusterNodeOptions, 'members' | 'join'>): void {
    const run = async (own: World): Promise<void> => {
      const world = this.#worldOf(id, own)
      this.ends.delete(id)
      let failure: AlthingError | undefined
      try {
        const node = await openClusterNode({ world, id, clusterId: 'test', ...this.#options, ...place })
        this.nodes.set(id, node)
        failure = await node.closed
      } catch (error) {
        failure = asAlthingError(error)
      }
      if (failure !== undefined) this.ends.set(id, failure)
    }
    this.#processes.set(id, this.simulation.process(`node${id}`, run, { acceptExit: () => true }))
  }
}

export async function put(store: Store, key: string, value: string): Promise<void> {
  await store.txn({
    then: [{ op: 'put', key: byteStringFromText(key), value: bytesFromText(value), lease: 0 }],
  })
}

export async function get(store: Store, key: string): Promise<string | undefined> {
  const { kvs } = await store.range({ key })
  return kvs[0] === undefined ? undefined : textFromBytes(kvs[0].value)
}

/** Writes on and on, until stopped; then every write must be there. */
export class Writer {
  readonly #store: Store
  #written = 0
  #isStopped = false
  readonly #work: Promise<void>

  constructor(store: Store, world: World) {
    this.#store = store
    this.#work = this.#write(world)
  }

  /** Resolves with the number of acknowledged writes; rejects when one was lost. */
  async stop(): Promise<number> {
    this.#isStopped = true
    await this.#work
    const { kvs } = await this.#store.range({ key: 'w/', end: 'w0', keysOnly: true })
    if (kvs.length !== this.#written) throw new Error(`${this.#written} writes, ${kvs.length} found`)
    return this.#written
  }

  async #write(world: World): Promise<void> {
    while (!this.#isStopped) {
      await put(this.#store, `w/${this.#written}`, 'x')
      this.#written++
      await sleep(world, 20)
    }
  }
}
