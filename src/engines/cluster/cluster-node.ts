import { AlthingError, invalidArgument } from '../../contracts/errors.ts'
import type { Timer, World } from '../../contracts/world.ts'
import type { NodeId, RaftOptions } from '../../protocols/raft/types.ts'
import { peerVersion } from '../../replication/message-codec.ts'
import { type Member, PeerTransport } from '../../replication/peer-transport.ts'
import type { GroupObserver } from '../../replication/raft-group.ts'
import { type DiskStorageOptions, openDiskStorage, type RaftStorage } from '../../replication/storage.ts'
import { StoreHost } from '../local/store-host.ts'
import { ClusterServer } from './cluster-server.ts'
import { ownGroupName } from './groups/group-descriptor.ts'
import { registerOperations } from './operations.ts'
import { OperatorCalls } from './operator-calls.ts'
import type { MemberStatus, NodeStatus, NodeVitals } from './node-status.ts'
import { encodeHello } from './protocol.ts'

export interface ClusterNodeOptions {
  readonly world: World
  readonly id: NodeId
  /** All members, this one included. The same list on every member. */
  readonly members: readonly Member[]
  /** The same on every member; nodes and clients of another cluster are refused. */
  readonly clusterId: string
  /** Address to listen on; default: this member's own of `members`. */
  readonly listen?: string
  /** Folder within the world's disk (default `node-ID`). */
  readonly directory?: string
  /** Shown in the status. */
  readonly version?: string
  readonly httpAddress?: string
  /** How the process does, for the status. */
  readonly vitals?: () => NodeVitals
  readonly raft?: Partial<Omit<RaftOptions, 'id'>>
  /** Sizes of the files on disk; see `DiskStorageOptions`. */
  readonly files?: Omit<DiskStorageOptions, 'identity'>
  readonly snapshotEntries?: number
  /** See `StoreHostOptions`. */
  readonly keepRevisions?: number
  readonly snapshotBytes?: number
  readonly keepEntries?: number
  readonly observer?: GroupObserver
}

/** Entries that a ready node may be behind what it knows to be committed. */
const readyLagMax = 1_000
const catchUpRetryMs = 100

/**
 * One member of a cluster: its share of the log on its disk, its copy of the store, and the socket that peers and clients come to. Rejects with
 * `corrupt`, `conflict`, `disk-failed`, `invalid-argument`, or `unavailable` (address taken) before it has taken any part.
 */
export async function openClusterNode(options: ClusterNodeOptions): Promise<ClusterNode> {
  const self = validateMembers(options)
  const { world, id, clusterId, members, directory = `node-${id}` } = options
  const { storage, restored } = await openDiskStorage(world, directory, {
    ...options.files,
    identity: { clusterId, nodeId: id },
  })
  try {
    const transport = new PeerTransport({
      world,
      self: id,
      members,
      hello: encodeHello({ kind: 'peer', clusterId, from: id, peerVersion }),
    })
    const node = new ClusterNode(options, transport, storage)
    const host = await StoreHost.open({
      world,
      raft: { ...options.raft, id },
      configuration: { voters: members.map((member) => member.id) },
      storage,
      restored,
      transport: transport.group(1),
      observer: node.observe(options.observer ?? {}),
      ...(options.keepRevisions === undefined ? {} : { keepRevisions: options.keepRevisions }),
      ...(options.snapshotEntries === undefined ? {} : { snapshotEntries: options.snapshotEntries }),
      ...(options.snapshotBytes === undefined ? {} : { snapshotBytes: options.snapshotBytes }),
      ...(options.keepEntries === undefined ? {} : { keepEntries: options.keepEntries }),
    })
    await node.start(host, options.listen ?? self.address)
    return node
  } catch (error) {
    await storage.close()
    throw error
  }
}

export class ClusterNode {
  readonly id: NodeId
  readonly transport: PeerTransport
  /** What operators may ask of this node, besides its status. */
  readonly operators = new OperatorCalls()
  /** Resolves when the node has failed for good, or was closed (`undefined`). Never rejects. */
  readonly closed: Promise<AlthingError | undefined>
  #resolveClosed: (error: AlthingError | undefined) => void = () => {}
  readonly #options: ClusterNodeOptions
  readonly #world: World
  readonly #storage: RaftStorage
  readonly #startedMs: number
  #host: StoreHost | undefined
  #server: ClusterServer | undefined
  #address = ''
  #isCaughtUp = false
  #catchUpTimer: Timer | undefined
  #closing: Promise<void> | undefined

  constructor(options: ClusterNodeOptions, transport: PeerTransport, storage: RaftStorage) {
    this.#options = options
    this.#world = options.world
    this.id = options.id
    this.transport = transport
    this.#storage = storage
    this.#startedMs = options.world.clock.monotonicMs()
    this.closed = new Promise((resolve) => (this.#resolveClosed = resolve))
  }

  get host(): StoreHost {
    if (this.#host === undefined) throw new AlthingError('closed', 'the node has not started')
    return this.#host
  }

  get storage(): RaftStorage {
    return this.#storage
  }

  get address(): string {
    return this.#address
  }

  observe(observer: GroupObserver): GroupObserver {
    return {
      ...observer,
      stateChanged: (status) => {
        const { role, term, leader } = status
        this.#world.logger.log('info', 'raft state changed', { node: this.id, role, term, leader })
        this.#server?.leaderChanged(leader)
        observer.stateChanged?.(status)
      },
      failed: (error) => {
        observer.failed?.(error)
        void this.#close(error)
      },
    }
  }

  async start(host: StoreHost, listen: string): Promise<void> {
    this.#host = host
    const { clusterId, members } = this.#options
    this.#server = new ClusterServer({
      world: this.#world,
      host,
      transport: this.transport,
      clusterId,
      nodeId: this.id,
      members,
      operators: this.operators,
      status: () => this.status(),
    })
    registerOperations({
      world: this.#world,
      nodeId: this.id,
      clusterId,
      version: this.#options.version ?? '',
      operators: this.operators,
      groups: () => [{ group: 1, name: ownGroupName, host }],
      closed: this.closed,
    })
    this.#address = await this.#server.listen(listen)
    host.start()
    this.#catchUp()
  }

  status(): NodeStatus {
    const { host } = this
    const raft = host.group.status()
    const { model } = host
    const problem = this.#problem()
    return {
      id: this.id,
      clusterId: this.#options.clusterId,
      address: this.#address,
      ...(this.#options.httpAddress === undefined ? {} : { httpAddress: this.#options.httpAddress }),
      version: this.#options.version ?? '',
      role: raft.role,
      term: raft.term,
      leader: raft.leader,
      commitIndex: raft.commitIndex,
      appliedIndex: raft.appliedIndex,
      firstIndex: raft.firstIndex,
      lastIndex: raft.lastIndex,
      persistedIndex: raft.persistedIndex,
      revision: model.revision,
      compactRevision: model.compactRevision,
      keys: model.stats.keys,
      leases: model.stats.leases,
      watchers: host.watches.size,
      clients: this.#server?.clients ?? 0,
      uptimeMs: this.#world.clock.monotonicMs() - this.#startedMs,
      wallMs: this.#world.clock.wallMs(),
      ...(this.#options.vitals === undefined ? {} : { vitals: this.#options.vitals() }),
      isReady: problem === undefined,
      ...(problem === undefined ? {} : { problem }),
      members: this.#options.members.map((member) => this.#memberStatus(member)),
      blocked: [...this.transport.blocked],
    }
  }

  /** Stops serving and frees the disk. What is under way fails with `closed`. Idempotent. */
  close(): Promise<void> {
    return this.#close(undefined)
  }

  #memberStatus({ id, address }: Member): MemberStatus {
    const progress = this.host.group.status().progress.get(id)
    return {
      id,
      address,
      isConnected: id === this.id || (this.transport.isConnected(id) && !this.transport.blocked.has(id)),
      ...(progress === undefined ? {} : { matchIndex: progress.matchIndex, state: progress.state }),
    }
  }

  #problem(): string | undefined {
    const { group } = this.host
    if (group.failure !== undefined) return group.failure.message
    if (this.#closing !== undefined) return 'closing'
    const { leader, commitIndex, appliedIndex } = group.status()
    if (leader === 0) return 'no leader is known: a quorum of the members is needed'
    if (!this.#isCaughtUp) return 'catching up with the leader'
    if (commitIndex - appliedIndex > readyLagMax)
      return `${commitIndex - appliedIndex} committed entries are not yet applied`
    return undefined
  }

  /** A read index that has been applied shows that this copy holds all that was committed when the node started. */
  #catchUp(): void {
    this.host.group.readBarrier((error) => {
      if (this.#closing !== undefined) return
      if (error === undefined) this.#isCaughtUp = true
      else this.#catchUpTimer = this.#world.timers.after(catchUpRetryMs, () => this.#catchUp())
    })
  }

  #close(reason: AlthingError | undefined): Promise<void> {
    this.#closing ??= this.#shutDown(reason)
    return this.#closing
  }

  async #shutDown(reason: AlthingError | undefined): Promise<void> {
    this.#catchUpTimer?.cancel()
    this.#host?.close()
    this.transport.close()
    await this.#server?.close()
    try {
      await this.#storage.close()
    } catch (error) {
      // After a failed write the log cannot be closed in good order either; the reason is already known.
      this.#world.logger.log('warn', 'closing the log failed', {
        reason: error instanceof Error ? error.message : String(error),
      })
    }
    this.#resolveClosed(reason)
  }
}

function validateMembers({ id, members, clusterId }: ClusterNodeOptions): Member {
  if (clusterId === '') throw invalidArgument('clusterId', clusterId, 'a name that all members share')
  const ids = members.map((member) => member.id)
  if (!ids.every((each) => Number.isSafeInteger(each) && each > 0))
    throw invalidArgument('members', ids, 'whole numbers > 0')
  if (new Set(ids).size !== ids.length)
    throw invalidArgument('members', ids, 'a list in which each member id stands once')
  const self = members.find((member) => member.id === id)
  if (self === undefined) throw invalidArgument('id', id, `one of the members: ${ids.join(', ')}`)
  return self
}
