import { type ServerType, serve } from '@hono/node-server'
import { Hono } from 'hono'
import { asAlthingError } from '../contracts/errors.ts'
import type { Supervisor } from './supervisor.ts'

const statusOf: Readonly<Record<string, 404 | 409 | 410>> = { 'not-found': 404, conflict: 409, closed: 410 }

/** The supervisor's own HTTP face, on this machine only: what the fault panel of the console talks to, through a node. */
export class ControlServer {
  readonly address: string
  readonly #server: ServerType

  static start(supervisor: Supervisor): Promise<ControlServer> {
    const app = controlApp(supervisor)
    return new Promise((resolve, reject) => {
      const server = serve({ fetch: app.fetch, hostname: '127.0.0.1', port: 0 }, ({ port }) =>
        resolve(new ControlServer(server, `127.0.0.1:${port}`)),
      )
      server.once('error', reject)
    })
  }

  private constructor(server: ServerType, address: string) {
    this.#server = server
    this.address = address
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve())
      if ('closeAllConnections' in this.#server) this.#server.closeAllConnections()
    })
  }
}

function controlApp(supervisor: Supervisor): Hono {
  const app = new Hono()
  app.get('/processes', (context) => context.json(supervisor.list()))
  for (const action of ['kill', 'pause', 'resume', 'start'] as const) {
    app.post(`/processes/:name/${action}`, (context) => {
      const { name } = context.req.param()
      supervisor[action](name)
      return context.json(supervisor.list().find((status) => status.name === name))
    })
  }
  app.onError((error, context) => {
    const failure = asAlthingError(error)
    return context.json({ error: failure }, statusOf[failure.code] ?? 500)
  })
  return app
}
