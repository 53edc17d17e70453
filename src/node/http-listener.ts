import type { Server, ServerOptions } from 'node:http'
import { type ServerType, serve } from '@hono/node-server'
import { AlthingError } from '../contracts/errors.ts'

export interface HttpListenerOptions {
  readonly server?: ServerOptions
  /** Connections past which more are closed at once. Default: no bound. */
  readonly connectionsMax?: number
}

/** A small HTTP server for one app, on one address. */
export class HttpListener {
  /** `host:port` as bound. */
  readonly address: string
  readonly #server: ServerType

  /** Rejects with `unavailable` when the address is taken. */
  static start(
    fetch: (request: Request) => Response | Promise<Response>,
    address: string,
    options: HttpListenerOptions = {},
  ): Promise<HttpListener> {
    const split = address.lastIndexOf(':')
    const hostname = address.slice(0, split)
    return new Promise((resolve, reject) => {
      const server = serve(
        {
          fetch,
          hostname: hostname.replace(/^\[|\]$/g, ''),
          port: Number(address.slice(split + 1)),
          serverOptions: options.server ?? {},
        },
        ({ port }) => resolve(new HttpListener(server, `${hostname}:${port}`)),
      ) as Server
      if (options.connectionsMax !== undefined) server.maxConnections = options.connectionsMax
      // For good: an error of one connection later on must not end the process.
      server.on('error', (cause) => {
        reject(new AlthingError('unavailable', `cannot listen on ${address}: ${cause.message}`, { cause }))
      })
    })
  }

  private constructor(server: ServerType, address: string) {
    this.#server = server
    this.address = address
  }

  /** Cuts what is open. Idempotent. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve())
      if ('closeAllConnections' in this.#server) this.#server.closeAllConnections()
    })
  }
}
