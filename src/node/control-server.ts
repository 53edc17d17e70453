import { Hono } from 'hono'
import { asAlthingError } from '../contracts/errors.ts'
import { HttpListener } from './http-listener.ts'
import type { Supervisor } from './supervisor.ts'

const statusOf: Readonly<Record<string, 404 | 409 | 410>> = { 'not-found': 404, conflict: 409, closed: 410 }

/** The supervisor's own HTTP face, on this machine only: what the fault panel of the console talks to, through a node. */
export function startControlServer(supervisor: Supervisor): Promise<HttpListener> {
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
  return HttpListener.start(app.fetch, '127.0.0.1:0')
}
