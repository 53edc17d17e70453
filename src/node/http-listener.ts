import type { Server, ServerOptions } from 'node:http'
import { createServer as createHttpsServer, type Server as HttpsServer } from 'node:https'
import { createSecureContext } from 'node:tls'
import { type ServerType, serve } from '@hono/node-server'
import { AlthingError } from '../contracts/errors.ts'
import type { Logger } from '../contracts/world.ts'
import { FreshFiles } from '../world/fresh-files.ts'

export interface HttpListenerOptions {
  readonly server?: ServerOptions
  /** Connections past which more are closed at once. Default: no bound. */
  readonly connectionsMax?: number
  /** Serves HTTPS with these files; they are read again when they have changed. */
  readonly tls?: HttpTls
  readonly logger?: Logger
}

export interface HttpTls {
  /** PEM. */
  readonly certFile: string
  readonly keyFile: string
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
    const { tls, logger = silent } = options
    const files =
      tls === undefined
        ? undefined
        : new FreshFiles(
            [tls.certFile, tls.keyFile],
            ([cert = '', key = '']) => checked({ cert, key }),
            logger,
          )
    const secured =
      files === undefined
        ? {}
        : { createServer: createHttpsServer, serverOptions: { ...options.server, ...files.value } }
    return new Promise((resolve, reject) => {
      const server = serve(
        {
          fetch,
          hostname: hostname.replace(/^\[|\]$/g, ''),
          port: Number(address.slice(split + 1)),
          serverOptions: options.server ?? {},
          ...secured,
        },
        ({ port }) => resolve(new HttpListener(server, `${hostname}:${port}`)),
      ) as Server
      if (files !== undefined) refreshCertificate(server as unknown as HttpsServer, files)
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

interface Certificate {
  readonly cert: string
  readonly key: string
}

const silent: Logger = { log: () => {} }

/** Throws `invalid-argument` when the two do not belong together. */
function checked(certificate: Certificate): Certificate {
  try {
    createSecureContext(certificate)
    return certificate
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new AlthingError(
      'invalid-argument',
      `the certificate of the HTTP address cannot be used: ${reason}`,
      {
        cause,
        outcome: 'none',
      },
    )
  }
}

function refreshCertificate(server: HttpsServer, files: FreshFiles<Certificate>): void {
  let served = files.value
  server.on('connection', () => {
    if (served === files.value) return
    served = files.value
    server.setSecureContext(served)
  })
}
