import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Connection, Network, World } from '../../../src/contracts/world.ts'
import { type ClusterNode, openClusterNode } from '../../../src/engines/cluster/cluster-node.ts'
import { openClusterStore } from '../../../src/engines/cluster/cluster-store.ts'
import { memberKeys } from '../../../src/engines/cluster/membership/member-record.ts'
import { freePorts } from '../../../src/node/free-ports.ts'
import { NodeLogger } from '../../../src/world/logger.ts'
import { createNodeWorld } from '../../../src/world/node-world.ts'
import type { TestBed } from '../register.ts'

const size = 3

/** A cluster of three nodes in this process, each with its folder, over TCP on the loopback. */
export async function openClusterBed(): Promise<TestBed> {
  const folder = await mkdtemp(join(tmpdir(), 'althing-conformance-'))
  const world = createNodeWorld({ dataFolder: folder, logger: new NodeLogger('error') })
  const ports = await freePorts(size)
  const members = ports.map((port, i) => ({ id: i + 1, address: `127.0.0.1:${port}` }))
  const cluster = new RunningCluster(world, members)
  await cluster.startAll()
  const network = new CuttableNetwork(world.network)
  const clientWorld: World = { ...world, network }
  const endpoints = members.map(({ address }) => address)
  return {
    world,
    open: async () => {
      const store = openClusterStore(clientWorld, { endpoints, timeoutMs: 20_000 })
      await store.connect()
      return store
    },
    restart: async () => {
      await cluster.stopAll()
      await cluster.startAll()
    },
    failover: () => cluster.replaceLeader(),
    cut: () => network.cut(),
    [Symbol.asyncDispose]: async () => {
      await cluster.stopAll()
      await rm(folder, { recursive: true })
    },
  }
}

class RunningCluster {
  readonly #world: World
  readonly #members: readonly { readonly id: number; readonly address: string }[]
  readonly #nodes = new Map<number, ClusterNode>()

  constructor(world: World, members: readonly { readonly id: number; readonly address: string }[]) {
    this.#world = world
    this.#members = members
  }

  async startAll(): Promise<void> {
    await Promise.all(this.#members.map(({ id }) => this.#start(id)))
    // The cluster writes down who belongs to it, which makes revisions of its own: once, when it is new.
    const isKnown = (node: ClusterNode, id: number): boolean =>
      node.host.model.range({ key: memberKeys.record(id) }).count === 1
    let leader = await this.#leader()
    while (!this.#members.every(({ id }) => isKnown(leader, id))) leader = await this.#leader()
  }

  async stopAll(): Promise<void> {
    const nodes = [...this.#nodes.values()]
    this.#nodes.clear()
    await Promise.all(nodes.map((node) => node.close()))
  }

  /** The leader goes without a word to the others; it is back once one of them leads. */
  async replaceLeader(): Promise<void> {
    const leader = await this.#leader()
    this.#nodes.delete(leader.id)
    await leader.close()
    await this.#leader()
    await this.#start(leader.id)
  }

  async #start(id: number): Promise<void> {
    this.#nodes.set(
      id,
      await openClusterNode({
        world: this.#world,
        id,
        members: this.#members,
        clusterId: 'conformance',
        raft: { electionTimeoutMs: 600, heartbeatMs: 50 },
        // Compaction is the suite's: one by the engine itself would make older reads a matter of chance.
        keepRevisions: 0,
      }),
    )
  }

  async #leader(): Promise<ClusterNode> {
    for (;;) {
      await new Promise<void>((resolve) => this.#world.timers.after(10, resolve))
      for (const node of this.#nodes.values()) {
        if (node.host.group.isLeaderReady) return node
      }
    }
  }
}

/** A network whose connections can all be broken at once. */
class CuttableNetwork implements Network {
  readonly #network: Network
  readonly #connections = new Set<Connection>()

  constructor(network: Network) {
    this.#network = network
  }

  cut(): void {
    for (const connection of this.#connections) connection.close()
    this.#connections.clear()
  }

  listen: Network['listen'] = (address, accept) => this.#network.listen(address, accept)

  connect: Network['connect'] = async (address, options) => {
    const connection = await this.#network.connect(address, options)
    this.#connections.add(connection)
    return connection
  }
}
