import { acceptedWeaknesses } from '../../coordination/accepted-weaknesses.ts'
import type { Credentials } from '../../access/access-control.ts'
import { node as nodeRef } from '../../access/principal.ts'
import type { RangeReply, RangeRequest } from '../../contracts/store.ts'
import type { World } from '../../contracts/world.ts'
import type { ClusterNode } from '../../engines/cluster/cluster-node.ts'
import { type ClusterStore, openClusterStore } from '../../engines/cluster/cluster-store.ts'
import type { NodeSpeaker } from '../../engines/cluster/endpoint-pool.ts'
import type { Finding } from '../diagnosis/finding.ts'
import { HealthWatch } from '../diagnosis/health-watch.ts'
import { isLoopback } from '../exposure.ts'
import type { NodeServices } from '../node-services.ts'
import { HttpListener, type HttpTls } from '../http-listener.ts'
import { CurrentCallersStore, currentCaller } from './caller-context.ts'
import { CallerStores } from './caller-stores.ts'
import { answersOf, clusterView } from './cluster-view.ts'
import { ConsoleFiles } from './console-files.ts'
import { ControlClient } from './control-client.ts'
import { createHttpApp, type HttpAppOptions } from './http-app.ts'
import { HttpAccess, type HttpReach } from './http-access.ts'
import type { HttpContext, ServedNode } from './http-context.ts'
import { LiveFeed } from './live-feed.ts'
import { LiveSnapshots } from './live-snapshot.ts'
import { LoginSessions } from './login-sessions.ts'
import { MemberClients } from './member-clients.ts'
import { StreamSlots } from './stream-slots.ts'

export interface HttpServerOptions {
  readonly world: World
  readonly node: ClusterNode
  readonly clusterId: string
  /** `host:port`; port 0 takes a free one. */
  readonly listen: string
  readonly version: string
  /** `host:port` of the supervisor of a local cluster. */
  readonly control?: string
  /** Default: where the build puts it. */
  readonly consoleFolder?: string
  /** Serves HTTPS. */
  readonly tls?: HttpTls
  /** Serves other machines although access control may be off, and without TLS where `tls` is absent. */
  readonly isHttpInsecure?: boolean
  readonly services?: NodeServices
  readonly metrics: HttpContext['metrics']
  readonly onRequest?: NonNullable<HttpAppOptions['onRequest']>
}

/** A member that takes longer to say how it is counts as silent. */
const memberTimeoutMs = 800
/** Event streams open at a time. */
const streamsMax = 256
const connectionsMax = 2_048
/** A key of 4 KiB takes 12 KiB when each of its bytes is escaped. */
const headerBytesMax = 32 * 1_024

/** The HTTP face of a node, listening. */
export class HttpServer {
  readonly #listener: HttpListener
  readonly #context: HttpContext

  /** Rejects with `unavailable` when the address is taken. */
  static async start(options: HttpServerOptions): Promise<HttpServer> {
    const context = httpContext(options)
    const app = createHttpApp(context, {
      version: options.version,
      console: new ConsoleFiles(options.consoleFolder),
      ...(options.onRequest === undefined ? {} : { onRequest: options.onRequest }),
    })
    const listenerOptions = {
      server: { maxHeaderSize: headerBytesMax, headersTimeout: 10_000 },
      connectionsMax,
      ...(options.tls === undefined ? {} : { tls: options.tls }),
      logger: options.world.logger,
    }
    try {
      return new HttpServer(await HttpListener.start(app.fetch, options.listen, listenerOptions), context)
    } catch (error) {
      await closeContext(context)
      throw error
    }
  }

  private constructor(listener: HttpListener, context: HttpContext) {
    this.#listener = listener
    this.#context = context
  }

  /** `host:port` as bound. */
  get address(): string {
    return this.#listener.address
  }

  /** What endangers the cluster, as this node found when it last looked. */
  get findings(): readonly Finding[] {
    return this.#context.health.findings
  }

  /** Cuts the connections, event streams too. */
  async close(): Promise<void> {
    await this.#listener.close()
    await closeContext(this.#context)
  }
}

/** What the routes work with, for this node. The caller closes it ({@link closeContext}). */
export function httpContext(options: HttpServerOptions): HttpContext {
  const { world, node, clusterId, control } = options
  const others = node.members.map(({ address }) => address).filter((address) => address !== node.address)
  const credentials = (): Credentials => {
    const { nodeKey } = node.access
    return nodeKey === undefined ? {} : { nodeKey }
  }
  const open = (speaker: NodeSpeaker): ClusterStore =>
    openClusterStore(world, { endpoints: [node.address, ...others], clusterId, node: speaker })
  const own = open({ principal: nodeRef, credentials })
  const stores = new CallerStores({ open, credentials })
  const access = new HttpAccess({
    control: node.access,
    stores,
    logins: new LoginSessions(world, node.id, options.tls !== undefined),
    reach: reachOf(options),
  })
  const members = () => node.members
  const shared = {
    world,
    access,
    members: new MemberClients({ world, clusterId, members, timeoutMs: memberTimeoutMs, credentials }),
    control: control === undefined ? undefined : new ControlClient(control),
  }
  const asked = { ...shared, node: servedNode(node) }
  const health = new HealthWatch({
    world,
    ask: async () => answersOf(await clusterView(asked)),
    accepted: () => acceptedWeaknesses(own, { consistency: 'serializable' }),
  })
  const snapshots = new LiveSnapshots({ ...asked, store: own, health, services: options.services })
  return {
    ...shared,
    health,
    services: options.services,
    node: servedNode(node, access),
    store: new CurrentCallersStore(own.capabilities),
    closeStores: async () => void (await Promise.all([own.close(), stores.close()])),
    live: new LiveFeed(world, async () => JSON.stringify(await snapshots.take())),
    streams: new StreamSlots(streamsMax),
    metrics: options.metrics,
  }
}

export async function closeContext(context: HttpContext): Promise<void> {
  context.live.close()
  context.health.close()
  context.members.close()
  await context.closeStores()
}

function reachOf({ listen, isHttpInsecure = false }: HttpServerOptions): HttpReach {
  if (isLoopback(listen)) return 'local'
  return isHttpInsecure ? 'open' : 'protected'
}

/** The part of a node that its API uses. With `access` its copy is read as the caller may read it. */
export function servedNode(node: ClusterNode, access?: HttpAccess): ServedNode {
  return {
    status: () => node.status(),
    failure: () => node.host.group.failure,
    rangeHere: (request: RangeRequest) =>
      new Promise<RangeReply>((resolve, reject) => {
        const { principal } = access === undefined ? { principal: nodeRef } : currentCaller()
        const range = access === undefined ? request : access.authorizeOwnRead(principal, request)
        node.host.range(range, 'serializable', (error, reply) => {
          if (reply === undefined) reject(error)
          else resolve(reply)
        })
      }),
    operate: (name, argument) => {
      const who = access?.control.principal(currentCaller().principal).name ?? ''
      return node.operators.call([name, argument], { name: who === '' ? 'http' : who, remoteAddress: 'http' })
    },
  }
}
