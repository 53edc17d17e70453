import { type Context, Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import type { Agora } from './agora.ts'
import { AlthingError, type ErrorCode, isAlthingError } from './althing.ts'
import type { Audience } from './audience.ts'
import { followForm, handleForm, parseForm, postForm, registrationForm, timelineForm } from './forms.ts'
import { limits } from './limits.ts'
import type { WorkerCounters } from './worker-counters.ts'

export interface HttpApiOptions {
  readonly agora: Agora
  readonly audience: Audience
  readonly counters: WorkerCounters
  readonly isDraining: () => boolean
  readonly logError: (error: unknown) => void
}

const statuses: Readonly<Partial<Record<ErrorCode, ContentfulStatusCode>>> = {
  'invalid-argument': 400,
  'permission-denied': 401,
  'not-found': 404,
  conflict: 409,
  'too-large': 413,
  overloaded: 503,
  unavailable: 503,
  timeout: 503,
}

/** The requests that a worker answers. An agent says who it is with `x-user-id` and `authorization: Bearer TOKEN`. */
export function createHttpApi(options: HttpApiOptions): Hono {
  const { audience, counters } = options
  const api = new Hono()
  api.use(async (context, next) => {
    await next()
    counters.countReply(context.res.status)
    if (options.isDraining()) context.header('connection', 'close')
  })
  api.use(bodyLimit({ maxSize: limits.requestBytesMax, onError: () => replyWith(tooLarge()) }))

  api.get('/healthz', (context) => context.json({ ok: true, draining: options.isDraining() }))
  api.get('/metrics', (context) => context.text(counters.render(audience.size)))

  addAgents(api, options)
  addFollows(api, options)
  addPosts(api, options)

  api.notFound((context) =>
    replyWith(new AlthingError('not-found', `there is no ${context.req.method} ${context.req.path}`)),
  )
  api.onError((error) => {
    if (isAlthingError(error)) return replyWith(error)
    options.logError(error)
    return replyWith(
      new AlthingError('internal', 'the worker failed; its log says why', { outcome: 'unknown' }),
    )
  })
  return api
}

function addAgents(api: Hono, { agora, counters }: HttpApiOptions): void {
  api.post('/agents', async (context) => {
    const { profile, isNew } = await agora.register(parseForm(registrationForm, await jsonOf(context)))
    if (isNew) counters.registrations += 1
    return context.json(profile, isNew ? 201 : 200)
  })
  api.get('/agents/:handle', async (context) => context.json(await agora.profile(handleOf(context))))
  api.get('/agents/:handle/posts', async (context) =>
    context.json({ posts: await agora.postsOf(handleOf(context)) }),
  )
}

function addFollows(api: Hono, { agora, audience, counters }: HttpApiOptions): void {
  api.post('/follows', async (context) => {
    const handle = await callerOf(context, agora)
    const following = await agora.follow(handle, parseForm(followForm, await jsonOf(context)).handle)
    audience.followsChanged(handle, following)
    counters.follows += 1
    return context.json({ following })
  })
  api.delete('/follows/:handle', async (context) => {
    const handle = await callerOf(context, agora)
    const following = await agora.unfollow(handle, handleOf(context))
    audience.followsChanged(handle, following)
    return context.json({ following })
  })
}

function addPosts(api: Hono, { agora, counters }: HttpApiOptions): void {
  api.post('/posts', async (context) => {
    const handle = await callerOf(context, agora)
    const post = await agora.post(handle, parseForm(postForm, await jsonOf(context)))
    counters.posts += 1
    return context.json(post, 201)
  })
  api.get('/timeline', async (context) => {
    const handle = await callerOf(context, agora)
    const { limit } = parseForm(timelineForm, context.req.query())
    counters.timelines += 1
    return context.json({ posts: await agora.timeline(handle, limit) })
  })
}

/** The agent that `headers` names and proves to be; rejects with `permission-denied`. */
export async function authenticateHeaders(
  header: (name: string) => string | undefined,
  agora: Agora,
): Promise<string> {
  const handle = handleForm.safeParse(header('x-user-id'))
  const token = /^Bearer ([\x21-\x7e]{1,256})$/.exec(header('authorization') ?? '')?.[1]
  if (!handle.success || token === undefined)
    throw new AlthingError('permission-denied', 'x-user-id and authorization: Bearer TOKEN are needed', {
      outcome: 'none',
    })
  await agora.authenticate(handle.data, token)
  return handle.data
}

function callerOf(context: Context, agora: Agora): Promise<string> {
  return authenticateHeaders((name) => context.req.header(name), agora)
}

function handleOf(context: Context): string {
  return parseForm(handleForm, context.req.param('handle'))
}

async function jsonOf(context: Context): Promise<unknown> {
  const text = await context.req.text()
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new AlthingError('invalid-argument', 'the body is not JSON', { outcome: 'none', cause })
  }
}

function tooLarge(): AlthingError {
  return new AlthingError('too-large', `the body is over ${limits.requestBytesMax} bytes`, {
    outcome: 'none',
    details: { requestBytesMax: limits.requestBytesMax },
  })
}

function replyWith(error: AlthingError): Response {
  return Response.json({ error: error.toJSON() }, { status: statuses[error.code] ?? 500 })
}
