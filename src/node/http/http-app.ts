import type { Socket } from 'node:net'
import { type Context, Hono } from 'hono'
import { hostOf } from '../../access/login-guard.ts'
import { AlthingError, asAlthingError, withOutcome } from '../../contracts/errors.ts'
import { auditedOperation } from '../../engines/cluster/audited-operation.ts'
import { formatAddress } from '../../world/address.ts'
import { runFor } from './caller-context.ts'
import type { ConsoleFiles } from './console-files.ts'
import { docsPage } from './docs-page.ts'
import type { HttpContext } from './http-context.ts'
import { type ErrorStatus, httpStatusOf } from './http-status.ts'
import { openApiDocument } from './openapi.ts'
import { assertOwnPage } from './origin-guard.ts'
import { readInput } from './route-input.ts'
import type { Route } from './route.ts'
import { clusterRoutes } from './routes/cluster-routes.ts'
import { configRoutes } from './routes/config-routes.ts'
import { coordinationRoutes } from './routes/coordination-routes.ts'
import { cronRoutes } from './routes/cron-routes.ts'
import { kvRoutes } from './routes/kv-routes.ts'
import { leaseRoutes } from './routes/lease-routes.ts'
import { liveRoutes } from './routes/live-routes.ts'
import { loginRoutes } from './routes/login-routes.ts'
import { localRoutes } from './routes/local-routes.ts'
import { serviceRegistrationRoutes } from './routes/service-registration-routes.ts'
import { serviceRoutes } from './routes/service-routes.ts'
import { statusRoutes } from './routes/status-routes.ts'
import { systemRoutes } from './routes/system-routes.ts'
import { txnRoutes } from './routes/txn-routes.ts'
import { watchRoutes } from './routes/watch-routes.ts'

export interface HttpAppOptions {
  readonly version: string
  readonly console: ConsoleFiles
  /** Told of each request that has been answered; `route` is the pattern, so that there are few of them. */
  onRequest?(route: string, method: string, status: number, seconds: number): void
}

export type App = Hono<{ Variables: { route?: string } }>

/** Every operation of the API. */
export function apiRoutes(http: HttpContext): readonly Route[] {
  return [
    ...statusRoutes(http),
    ...clusterRoutes(http),
    ...kvRoutes(http),
    ...txnRoutes(http),
    ...leaseRoutes(http),
    ...watchRoutes(http),
    ...coordinationRoutes(http),
    ...cronRoutes(http),
    ...serviceRoutes(http),
    ...serviceRegistrationRoutes(http),
    ...configRoutes(http),
    ...liveRoutes(http),
    ...localRoutes(http),
    ...systemRoutes(http),
    ...loginRoutes(http),
  ]
}

/** The HTTP face of a node: the API, its description, and the console. */
export function createHttpApp(http: HttpContext, options: HttpAppOptions): App {
  const app: App = new Hono()
  const routes = apiRoutes(http)
  const document = openApiDocument(routes, options.version)
  app.use(async (context, next) => {
    const startedMs = http.world.clock.monotonicMs()
    await next()
    context.header('X-Content-Type-Options', 'nosniff')
    const seconds = (http.world.clock.monotonicMs() - startedMs) / 1_000
    options.onRequest?.(context.get('route') ?? 'console', context.req.method, context.res.status, seconds)
  })
  for (const route of routes) mount(app, route, http)
  app.get('/openapi.json', (context) => context.json(document))
  app.get('/docs', (context) => context.html(docsPage(document)))
  app.all('/api/*', (context) => errorReply(context, noSuchRoute(context.req.method, context.req.path)))
  app.get('*', (context) => options.console.serve(context.req.path, context.req.raw))
  app.onError((error, context) => {
    const failure = asAlthingError(error)
    if (failure.code === 'internal')
      http.world.logger.log('error', 'a request failed unexpectedly', { path: context.req.path, error })
    return errorReply(context, failure)
  })
  return app
}

function mount(app: App, route: Route, http: HttpContext): void {
  const changesState = route.method !== 'get' && route.isRead !== true
  app.on(route.method.toUpperCase(), honoPath(route.path), async (context) => {
    context.set('route', route.path)
    if (route.path.startsWith('/api/')) assertOwnPage(context.req.raw, changesState, http.access.isProtected)
    try {
      const value = await serve(route, context, http, changesState)
      if (value instanceof Response) return value
      if (!context.res.headers.has('Cache-Control')) context.header('Cache-Control', 'no-store')
      return context.json(value as object)
    } catch (error) {
      const failure = asAlthingError(error)
      if (changesState && failure.outcome === undefined) throw withOutcome(failure, 'unknown')
      throw failure
    }
  })
}

/** Has the route handled in the name of its caller. */
async function serve(
  route: Route,
  context: Context,
  http: HttpContext,
  changesState: boolean,
): Promise<unknown> {
  const { access } = http
  if (route.access === 'open') return route.handle(await readInput(route, context))
  const remoteAddress = remoteAddressOf(context)
  const { caller, name, release } = await access.admit({
    request: context.req.raw,
    route,
    changesState,
    remoteAddress,
  })
  try {
    const input = await readInput(route, context)
    const work = async (): Promise<unknown> => runFor(caller, () => route.handle(input))
    const isAudited = route.isAudited ?? (route.access === 'operator' && changesState)
    if (!isAudited) return await work()
    const argument = { ...input.params, ...input.query, ...(input.body as object | undefined) }
    const who = { name: name === '' ? hostOf(remoteAddress) : name, remoteAddress }
    const operation = { name: `http.${route.id}`, argument, caller: who }
    return await auditedOperation(access.control.audit, operation, work)
  } finally {
    release()
  }
}

function remoteAddressOf(context: Context): string {
  const { incoming } = (context.env ?? {}) as { readonly incoming?: { readonly socket: Socket } }
  const { remoteAddress = 'unknown', remotePort = 0 } = incoming?.socket ?? {}
  return formatAddress(remoteAddress, remotePort)
}

/** OpenAPI's `{name}` as hono's `:name`; the key of an item may have slashes in it. */
function honoPath(path: string): string {
  return path.replace('{key}', ':key{.+}').replaceAll(/\{(\w+)\}/g, ':$1')
}

function errorReply(context: Context, error: AlthingError): Response {
  const status = error.details?.['httpStatus'] === 412 ? 412 : httpStatusOf[error.code]
  const retryAfter: readonly ErrorStatus[] = [429, 503]
  if (retryAfter.includes(status)) context.header('Retry-After', retryAfterOf(error))
  if (status === 401) context.header('WWW-Authenticate', 'Bearer realm="althing"')
  context.header('Cache-Control', 'no-store')
  return context.json({ error }, status)
}

/** Whole seconds. */
function retryAfterOf({ details }: AlthingError): string {
  const ms = details?.['retryAfterMs']
  return String(typeof ms === 'number' ? Math.max(1, Math.ceil(ms / 1_000)) : 1)
}

function noSuchRoute(method: string, path: string): AlthingError {
  return new AlthingError('not-found', `there is no ${method} ${path}; /docs lists what there is`, {
    outcome: 'none',
  })
}
