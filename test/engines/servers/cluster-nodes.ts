import { AlthingError } from '../../../src/contracts/errors.ts'
import type { Connection, Network, World } from '../../../src/contracts/world.ts'
import { type ClusterNode, openClusterNode } from '../../../src/engines/cluster/cluster-node.ts'
import { memberKeys } from '../../../src/engines/cluster/membership/member-record.ts'

export interface NodePlace {
  readonly id: number
  readonly address: string
}

/** Nodes of a cluster in this process, each with its folder, over TCP on the loopback. */
export class RunningCluster {
  readonly #world: World
  readonly #members: readonly NodePlace[]
  readonly #nodes = new Map<number, ClusterNode>()

  constructor(world: World, members: readonly NodePlace[]) {
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

/** A network whose connections can all be broken at once, and new ones refused. */
export class CuttableNetwork implements Network {
  isCut = false
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
    if (this.isCut) throw new AlthingError('unavailable', `${address} is out of reach`, { outcome: 'none' })
    const connection = await this.#network.connect(address, options)
    this.#connections.add(connection)
    return connection
  }
}
