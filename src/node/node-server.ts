import type { RateLimitOptions } from '../access/rate-limits.ts'
import type { World } from '../contracts/world.ts'
import { type ClusterNode, openClusterNode, type StoreNodeOptions } from '../engines/cluster/cluster-node.ts'
import type { Plain } from '../engines/cluster/operator-calls.ts'
import type { RaftOptions } from '../protocols/raft/types.ts'
import type { Member } from '../replication/peer-transport.ts'
import { measureDisk } from '../observe/measured-disk.ts'
import { NodeMetrics } from '../observe/node-metrics.ts'
import { NodeLoopDelayMeter } from '../world/loop-delay.ts'
import { NodeKeyDerivation } from '../world/key-derivation.ts'
import { createNodeWorld } from '../world/node-world.ts'
import { isSecretTls, type TlsOptions } from '../world/tls-options.ts'
import { type CertificateVitals, certificateEnds } from './certificate-ends.ts'
import { storeDirectory } from './data-folder.ts'
import type { Finding } from './diagnosis/finding.ts'
import { assertMayListen } from './exposure.ts'
import type { HttpTls } from './http-listener.ts'
import { HttpServer } from './http/http-server.ts'
import { metricsObserver } from './metrics-observer.ts'
import { type NodeChecks, NodeServices } from './node-services.ts'
import { Vitals } from './vitals.ts'
import { version } from './version.ts'

export interface NodeServerOptions {
  readonly id: number
  /** See `ClusterNodeOptions`. */
  readonly members: readonly Member[]
  /** The node is new and was invited; see `ClusterNodeOptions`. */
  readonly join?: { readonly secret: string }
  readonly clusterId: string
  /** Folder of this node's log and snapshots. */
  readonly dataFolder: string
  /** Default: the address of this member in `members`. */
  readonly listen?: string
  /** `host:port` of the HTTP API and the console; absent: none. */
  readonly http?: string
  /** `host:port` of the supervisor of a local cluster, for the fault panel; absent: there is none. */
  readonly control?: string
  /** Files of the console; default: where the build puts them. */
  readonly consoleFolder?: string
  readonly raft?: Partial<Omit<RaftOptions, 'id' | 'leaseDriftMax'>>
  /** Reads under a lease; see `RaftOptions`. The same on all nodes. */
  readonly leaseDriftMax?: number
  /** Bounds of the stores of which this node has copies. */
  readonly store?: StoreNodeOptions
  /** See `HistoryBounds`. */
  readonly keepRevisions?: number
  /** See {@link ClusterNodeOptions}. */
  readonly snapshotEntries?: number
  /** How connections between nodes, and of clients, are secured. Needed to listen elsewhere than on this machine's own addresses. */
  readonly tls?: TlsOptions
  /** Certificate of the HTTP face (default: that of `tls`, where it has one). */
  readonly httpTls?: HttpTls
  /** Serves HTTP to other machines without TLS, and without access control: behind a proxy that looks after both. */
  readonly isHttpInsecure?: boolean
  /** `host:port` at which services are found over DNS (UDP and TCP); absent: they are not. */
  readonly dns?: string
  /** Serves DNS to other machines: it has no encryption, and knows no callers. */
  readonly isDnsInsecure?: boolean
  /** Default `'network'`. */
  readonly checks?: NodeChecks
  /** How often the copies of each group are compared, by the node that leads it (default: an hour; 0: only when asked). */
  readonly replicaCheckMs?: number
  /** For each caller (default: none). */
  readonly rateLimits?: RateLimitOptions
  /** With `tls` it must secure its connections by the same. */
  readonly world?: World
}

const replicaCheckMsDefault = 3_600_000

/** One node as a server: the member of the cluster, and its HTTP face. */
export interface NodeServer {
  readonly node: ClusterNode
  readonly world: World
  /** `host:port`, as bound. */
  readonly httpAddress: string | undefined
  /** `host:port`, as bound. */
  readonly dnsAddress: string | undefined
  /** Idempotent. */
  close(): Promise<void>
}

/** Rejects before it has taken any part when an option, the folder or an address is not usable. */
export async function startNodeServer(options: NodeServerOptions): Promise<NodeServer> {
  assertMayListen({
    listen: options.listen ?? options.members.find(({ id }) => id === options.id)?.address,
    http: options.http,
    isSecured: options.tls !== undefined,
    hasHttpTls: httpTlsOf(options) !== undefined,
    isHttpInsecure: options.isHttpInsecure ?? false,
    dns: options.dns,
    isDnsInsecure: options.isDnsInsecure ?? false,
  })
  const { tls } = options
  const given =
    options.world ??
    createNodeWorld({ dataFolder: options.dataFolder, ...(tls === undefined ? {} : { tls }) })
  const vitals = new Vitals(given.timers, new NodeLoopDelayMeter(), certificatesOf(options, given))
  let http: HttpServer | undefined
  const found = (): readonly Finding[] => http?.findings ?? []
  const metrics: NodeMetrics = new NodeMetrics({
    labels: { cluster: options.clusterId, node: String(options.id) },
    version,
    gauges: () => node.status(),
    findings: found,
    loopDelay: () => vitals.loopDelay(),
  })
  const onSync = (seconds: number): void => {
    vitals.synced(seconds)
    metrics.synced(seconds)
  }
  const world: World = { ...given, disk: measureDisk(given.disk, given.clock, onSync) }
  let node: ClusterNode
  try {
    node = await openNode(options, world, metrics, vitals)
  } catch (error) {
    vitals.close()
    throw error
  }
  let services: NodeServices | undefined
  try {
    services = await serveServices(options, node, world)
    http = await serveHttp(options, node, world, metrics, services)
  } catch (error) {
    vitals.close()
    await services?.close()
    await node.close()
    throw error
  }
  node.operators.register({ 'node.health': async () => found() as unknown as Plain })
  return new RunningNodeServer({ node, world, vitals, http, services })
}

function serveServices(options: NodeServerOptions, node: ClusterNode, world: World): Promise<NodeServices> {
  const { clusterId, dns, checks = 'network' } = options
  return NodeServices.start({ world, node, clusterId, checks, ...(dns === undefined ? {} : { dns }) })
}

function certificatesOf({ tls, httpTls }: NodeServerOptions, { clock }: World): () => CertificateVitals {
  const own = tls === undefined || isSecretTls(tls) ? [] : [tls.caFile, tls.certFile]
  return certificateEnds(clock, [...own, httpTls?.certFile])
}

function openNode(
  options: NodeServerOptions,
  world: World,
  metrics: NodeMetrics,
  vitals: Vitals,
): Promise<ClusterNode> {
  const { id, members, clusterId, listen, http, raft, leaseDriftMax, store, join } = options
  const { keepRevisions, snapshotEntries } = options
  return openClusterNode({
    world,
    id,
    members,
    clusterId,
    directory: storeDirectory,
    version,
    observer: metricsObserver(world.clock, metrics),
    vitals: () => vitals.read(),
    replicaCheckMs: options.replicaCheckMs ?? replicaCheckMsDefault,
    access: {
      derivation: new NodeKeyDerivation(),
      auditLog: 'audit.log',
      ...(options.rateLimits === undefined ? {} : { rateLimits: options.rateLimits }),
    },
    ...(listen === undefined ? {} : { listen }),
    ...(http === undefined ? {} : { httpAddress: http }),
    raft: { ...raft, ...(leaseDriftMax === undefined ? {} : { leaseDriftMax }) },
    ...(store === undefined ? {} : { store }),
    ...(keepRevisions === undefined ? {} : { keepRevisions }),
    ...(snapshotEntries === undefined ? {} : { snapshotEntries }),
    ...(join === undefined ? {} : { join }),
  })
}

async function serveHttp(
  options: NodeServerOptions,
  node: ClusterNode,
  world: World,
  metrics: NodeMetrics,
  services: NodeServices,
): Promise<HttpServer | undefined> {
  const { http, clusterId, control, consoleFolder, isHttpInsecure } = options
  const httpTls = httpTlsOf(options)
  if (http === undefined) return undefined
  return await HttpServer.start({
    world,
    node,
    clusterId,
    listen: http,
    version,
    services,
    metrics: () => metrics.text(),
    onRequest: (route, method, status, seconds) => metrics.requestAnswered(route, method, status, seconds),
    ...(httpTls === undefined ? {} : { tls: httpTls }),
    ...(isHttpInsecure === undefined ? {} : { isHttpInsecure }),
    ...(control === undefined ? {} : { control }),
    ...(consoleFolder === undefined ? {} : { consoleFolder }),
  })
}

interface RunningParts {
  readonly node: ClusterNode
  readonly world: World
  readonly vitals: Vitals
  readonly http: HttpServer | undefined
  readonly services: NodeServices
}

class RunningNodeServer implements NodeServer {
  readonly node: ClusterNode
  readonly world: World
  readonly #parts: RunningParts
  #closing: Promise<void> | undefined

  constructor(parts: RunningParts) {
    this.node = parts.node
    this.world = parts.world
    this.#parts = parts
  }

  get httpAddress(): string | undefined {
    return this.#parts.http?.address
  }

  get dnsAddress(): string | undefined {
    return this.#parts.services.dnsAddress
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    const { http, services, vitals } = this.#parts
    await http?.close()
    await services.close()
    await this.node.close()
    vitals.close()
  }
}

function httpTlsOf({ tls, httpTls }: NodeServerOptions): HttpTls | undefined {
  if (httpTls !== undefined || tls === undefined || isSecretTls(tls)) return httpTls
  const { certFile, keyFile } = tls
  return certFile === undefined || keyFile === undefined ? undefined : { certFile, keyFile }
}
