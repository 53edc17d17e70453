import { Hono } from 'hono'
import { AlthingError, asAlthingError } from '../contracts/errors.ts'
import { HttpListener } from './http-listener.ts'
import type { Supervisor } from './supervisor.ts'

const statusOf: Readonly<Record<string, 403 | 404 | 409 | 410>> = {
  'permission-denied': 403,
  'not-found': 404,
  conflict: 409,
  closed: 410,
}

/** The supervisor's own HTTP face, on this machine only: what the fault panel of the console talks to, through a node. */
export function startControlServer(supervisor: Supervisor): Promise<HttpListener> {
  const app = new Hono()
  // Any page that is open in a browser of this machine can send requests here: those of a page say so.
  app.use(async (context, next) => {
    if (context.req.header('origin') !== undefined)
      throw new AlthingError('permission-denied', 'requests of web pages are not served here')
    await next()
  })
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
