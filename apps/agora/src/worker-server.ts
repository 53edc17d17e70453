import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createServer, type Server } from 'node:http'
import { setTimeout as wait } from 'node:timers/promises'
import { getRequestListener } from '@hono/node-server'
import { Agora } from './agora.ts'
import type { Store } from './althing.ts'
import { Audience } from './audience.ts'
import { createHttpApi } from './http-api.ts'
import { PostFeed } from './post-feed.ts'
import { Sockets } from './sockets.ts'
import { WorkerCounters } from './worker-counters.ts'

export interface WorkerServerOptions {
  readonly store: Store
  /** Name under which the worker tells agents who serves them. */
  readonly id: string
  readonly host: string
  /** 0 takes a free one. */
  readonly port: number
  readonly logError: (error: unknown) => void
}

/** The HTTP and WebSocket server of one worker. Holds no state of its own but the sockets. */
export class WorkerServer {
  readonly #server: Server
  readonly #sockets: Sockets
  readonly #feed: PostFeed
  readonly #feeding: Promise<void>
  #isDraining = false
  #closing: Promise<void> | undefined

  private constructor(options: WorkerServerOptions) {
    const agora = new Agora({ store: options.store, wallMs: () => Date.now() })
    const audience = new Audience()
    const counters = new WorkerCounters()
    const api = createHttpApi({
      agora,
      audience,
      counters,
      isDraining: () => this.#isDraining,
      logError: options.logError,
    })
    this.#sockets = new Sockets({ agora, audience, counters, workerId: options.id })
    const listener = getRequestListener(api.fetch)
    this.#server = createServer(
      { keepAliveTimeout: 65_000, requestTimeout: 30_000 },
      (request, response) => void listener(request, response),
    )
    this.#server.on('upgrade', (request, stream, head) => this.#sockets.upgrade(request, stream, head))
    this.#feed = new PostFeed(options.store, (post) => {
      counters.pushed += audience.publish(post)
    })
    this.#feeding = this.#feed.run()
  }

  static async start(options: WorkerServerOptions): Promise<WorkerServer> {
    const worker = new WorkerServer(options)
    worker.#server.listen({ host: options.host, port: options.port, backlog: 4_096 })
    await once(worker.#server, 'listening')
    return worker
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /**
   * Call once no gateway sends anything new here: closes the sockets (1001), spread over `spreadMs`, finishes the requests under way, and cuts what
   * is left after `withinMs`. Idempotent.
   */
  close(options: { readonly spreadMs: number; readonly withinMs: number }): Promise<void> {
    this.#closing ??= this.#close(options)
    return this.#closing
  }

  /** From now on replies tell their connection to end, so that a gateway keeps none. */
  beginDrain(): void {
    this.#isDraining = true
  }

  async #close({ spreadMs, withinMs }: { spreadMs: number; withinMs: number }): Promise<void> {
    this.beginDrain()
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    await this.#sockets.drain(spreadMs)
    this.#server.closeIdleConnections()
    await Promise.race([closed, wait(withinMs, undefined, { ref: false })])
    this.#server.closeAllConnections()
    this.#feed.close()
    await Promise.all([closed, this.#feeding])
  }
}
