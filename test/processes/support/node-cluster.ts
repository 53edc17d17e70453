import { join } from 'node:path'
import { NodeClient, type NodeStatus } from 'althing/engines'
import { createNodeWorld, NodeLogger } from 'althing/world'
import { freePorts } from '../../../src/node/free-ports.ts'
import { Child, type ChildOptions, command } from './child.ts'
import { eventually, Hopeless } from './eventually.ts'
import { scratchFolder } from './scratch-folder.ts'

/** Quiet: what goes wrong between a client and a killed node is what these tests make. */
export const world = createNodeWorld({ dataFolder: '.', logger: new NodeLogger('error') })

export const clusterName = 'proof'

/** How the test itself reaches the nodes. It may be changed while they run. */
export interface Reach {
  world: typeof world
  credentials?: { readonly token: string }
}

export interface NodeOptions extends ChildOptions {
  /** Further arguments of `althing node`. */
  readonly args?: readonly string[]
  /** The command of another build. */
  readonly script?: string
}

/** One member: its place, and the process that runs it now, if one does. */
export class ClusterMember {
  readonly id: number
  readonly address: string
  readonly http: string
  readonly dataFolder: string
  /** Further arguments of every start of this build from now on. */
  args: readonly string[] = []
  readonly #launch: readonly string[]
  readonly #cluster: string
  readonly #reach: Reach
  #process: Child | undefined
  #isPaused = false

  /** `launch`: the command that runs it, up to the options that all nodes have. */
  constructor(place: {
    id: number
    address: string
    http: string
    dataFolder: string
    launch: readonly string[]
    cluster: string
    reach?: Reach
  }) {
    this.id = place.id
    this.address = place.address
    this.http = place.http
    this.dataFolder = place.dataFolder
    this.#launch = place.launch
    this.#cluster = place.cluster
    this.#reach = place.reach ?? { world }
  }

  /** The present process, or the last one. */
  get process(): Child {
    if (this.#process === undefined) throw new Error(`node ${this.id} was never started`)
    return this.#process
  }

  get isUp(): boolean {
    return this.#process?.isRunning === true && !this.#isPaused
  }

  get isPaused(): boolean {
    return this.#isPaused
  }

  /** Where the log and the snapshots lie. */
  get storeFolder(): string {
    return join(this.dataFolder, 'store')
  }

  start(options: NodeOptions = {}): Child {
    const { script = command, args = script === command ? this.args : [], ...rest } = options
    const own = ['--data', this.dataFolder, '--http', this.http]
    this.#isPaused = false
    this.#process = Child.script(script, [...this.#launch, ...own, ...args], rest)
    return this.#process
  }

  async kill(): Promise<void> {
    this.#isPaused = false
    await this.process.kill()
  }

  async stop(): Promise<void> {
    this.process.signal('SIGTERM')
    await this.process.ended
  }

  pause(): void {
    this.#isPaused = true
    this.process.signal('SIGSTOP')
  }

  resume(): void {
    this.#isPaused = false
    this.process.signal('SIGCONT')
  }

  /** What the node says of itself; `undefined` when it does not answer. */
  async status(): Promise<NodeStatus | undefined> {
    if (!this.isUp) return undefined
    let client: NodeClient | undefined
    try {
      const { world: ownWorld, ...shown } = this.#reach
      const options = { clusterId: this.#cluster, timeoutMs: 1_000, ...shown }
      client = await NodeClient.open(ownWorld, this.address, options)
      return await client.status()
    } catch {
      return undefined
    } finally {
      client?.close()
    }
  }

  /** From now on it neither hears nor tells the others anything; its clients stay connected. An empty list heals. */
  async cutOffFrom(others: readonly ClusterMember[]): Promise<void> {
    const client = await NodeClient.open(world, this.address, { clusterId: this.#cluster, timeoutMs: 10_000 })
    try {
      await client.blockPeers(others.filter((other) => other !== this).map(({ id }) => id))
    } finally {
      client.close()
    }
  }

  async ready(): Promise<NodeStatus> {
    return await eventually(`node ${this.id} is ready`, async () => {
      if (!this.process.isRunning) throw new Hopeless(`node ${this.id} has ended:\n${this.process.errors}`)
      const status = await this.status()
      return status?.isReady === true ? status : undefined
    })
  }
}

/** Nodes as processes of the command, on free ports of this machine, with their data in one folder. */
export class NodeCluster {
  readonly #folder: string
  readonly #cluster: string
  #members: readonly ClusterMember[]

  /** `place.folder` has, or will have, a folder `node-ID` for each. */
  static async create(
    size: number,
    place: {
      readonly cluster?: string
      readonly folder?: string
      readonly ports?: readonly number[]
      /** Where a node has its data, when not in `folder`. */
      readonly dataFolders?: Readonly<Record<number, string>>
      readonly reach?: Reach
    } = {},
  ): Promise<NodeCluster> {
    const {
      cluster = clusterName,
      folder = scratchFolder('nodes'),
      dataFolders = {},
      reach = { world },
    } = place
    const ports = place.ports ?? (await freePorts(size * 2))
    const ids = Array.from({ length: size }, (_, i) => i + 1)
    const address = (id: number): string => `127.0.0.1:${ports[id - 1]}`
    const members = ids.map((id) => `${id}=${address(id)}`).join(',')
    const launch = (id: number): string[] => [
      'node',
      ...['--id', String(id), '--members', members, '--cluster', cluster],
    ]
    return new NodeCluster(
      folder,
      cluster,
      ids.map(
        (id) =>
          new ClusterMember({
            id,
            address: address(id),
            http: `127.0.0.1:${ports[size + id - 1]}`,
            dataFolder: dataFolders[id] ?? join(folder, `node-${id}`),
            launch: launch(id),
            cluster,
            reach,
          }),
      ),
    )
  }

  /** Creates it, starts every node and waits until all are ready. */
  static async start(size: number, options: NodeOptions = {}): Promise<NodeCluster> {
    const cluster = await NodeCluster.create(size)
    for (const member of cluster.members) member.start(options)
    await cluster.ready()
    return cluster
  }

  private constructor(folder: string, cluster: string, members: readonly ClusterMember[]) {
    this.#folder = folder
    this.#cluster = cluster
    this.#members = members
  }

  /** Those that were not taken out. */
  get members(): readonly ClusterMember[] {
    return this.#members
  }

  /** Starts the node that the token was made for, on a free port; its data go into `folder`, or into a new one. */
  async join(
    id: number,
    token: string,
    folder?: string,
    args: readonly string[] = [],
  ): Promise<ClusterMember> {
    const [port, httpPort] = (await freePorts(2)) as [number, number]
    const address = `127.0.0.1:${port}`
    const member = new ClusterMember({
      id,
      address,
      http: `127.0.0.1:${httpPort}`,
      dataFolder: folder ?? join(this.#folder, `node-${id}-${port}`),
      launch: ['join', token, '--listen', address],
      cluster: this.#cluster,
    })
    member.args = args
    member.start()
    this.#members = [...this.#members, member]
    return member
  }

  /** It belongs to the cluster no more. */
  takeOut(member: ClusterMember): void {
    this.#members = this.#members.filter((each) => each !== member)
  }

  get url(): string {
    return `althing://${this.addresses.join(',')}`
  }

  get addresses(): readonly string[] {
    return this.members.map(({ address }) => address)
  }

  member(id: number): ClusterMember {
    const member = this.members.find((each) => each.id === id)
    if (member === undefined) throw new Error(`there is no node ${id}`)
    return member
  }

  async ready(): Promise<void> {
    await Promise.all(this.members.map((member) => member.ready()))
  }

  /** The member that says it leads, of those that run; of two the one with the newer term. */
  async leader(): Promise<ClusterMember> {
    return await eventually('some node leads', () => this.presentLeader())
  }

  async presentLeader(): Promise<ClusterMember | undefined> {
    const statuses = await Promise.all(this.members.map((member) => member.status()))
    const leaders = statuses
      .filter((status) => status !== undefined && status.role === 'leader')
      .sort((a, b) => (b?.term ?? 0) - (a?.term ?? 0))
    return leaders[0] === undefined ? undefined : this.member(leaders[0].id)
  }

  async follower(): Promise<ClusterMember> {
    const leader = await this.leader()
    return this.members.find((member) => member !== leader) as ClusterMember
  }

  async stop(): Promise<void> {
    await Promise.all(this.members.map((member) => member.kill()))
  }
}
