import { invalidArgument } from '../contracts/errors.ts'
import type { World } from '../contracts/world.ts'
import { type ClusterNode, openClusterNode } from '../engines/cluster/cluster-node.ts'
import type { RaftOptions } from '../protocols/raft/types.ts'
import type { Member } from '../replication/peer-transport.ts'
import { createNodeWorld } from '../world/node-world.ts'
import { version } from './version.ts'

export interface NodeServerOptions {
  readonly id: number
  readonly members: readonly Member[]
  readonly clusterId: string
  /** Folder of this node's log and snapshots. */
  readonly dataFolder: string
  /** Default: the address of this member in `members`. */
  readonly listen?: string
  /** `host:port` of the HTTP API and the console; absent: none. */
  readonly http?: string
  readonly raft?: Partial<Omit<RaftOptions, 'id'>>
  readonly world?: World
}

/** One node as a server: the member of the cluster, and its HTTP face. */
export interface NodeServer {
  readonly node: ClusterNode
  readonly world: World
  /** `host:port`, as bound. */
  readonly httpAddress: string | undefined
  close(): Promise<void>
}

/** Rejects before it has taken any part when an option, the folder or an address is not usable. */
export async function startNodeServer(options: NodeServerOptions): Promise<NodeServer> {
  const listen = options.listen ?? options.members.find(({ id }) => id === options.id)?.address
  for (const [field, address] of Object.entries({ listen, http: options.http })) {
    if (address !== undefined) assertLoopback(field, address)
  }
  const world = options.world ?? createNodeWorld({ dataFolder: options.dataFolder })
  const node = await openClusterNode({
    world,
    id: options.id,
    members: options.members,
    clusterId: options.clusterId,
    directory: 'store',
    version,
    ...(listen === undefined ? {} : { listen }),
    ...(options.http === undefined ? {} : { httpAddress: options.http }),
    ...(options.raft === undefined ? {} : { raft: options.raft }),
  })
  return { node, world, httpAddress: undefined, close: () => node.close() }
}

const loopback = /^(127(\.\d{1,3}){3}|localhost|\[::1\]):\d{1,5}$/

/** Nodes do not authenticate each other yet, so they may be reached from this machine only. */
export function assertLoopback(field: string, address: string): void {
  if (!loopback.test(address)) {
    throw invalidArgument(
      field,
      address,
      'an address of this machine (127.0.0.1, localhost or [::1]) and a port: access control is not built yet',
    )
  }
}
