import { z } from 'zod'
import { LockOverview } from '../../../coordination/locks/lock-overview.ts'
import { limitMax, SemaphoreOverview } from '../../../coordination/semaphores/semaphore-overview.ts'
import * as answers from '../coordination-answers.ts'
import { listElections } from '../election-overview.ts'
import { wholeField } from '../fields.ts'
import { callOptions, type HttpContext } from '../http-context.ts'
import { jsonRoute, plainRoute, type Route } from '../route.ts'

const nameParam = z.object({ name: z.string().min(1).describe('URL-encoded') })

const order = {
  by: z.string().min(1).describe('who does it'),
  reason: z.string().min(1),
}

const releaseQuery = z.object({
  ...order,
  token: wholeField
    .optional()
    .describe('only from the holder with this token (else `conflict`); needed where several hold'),
})

export function coordinationRoutes(http: HttpContext): Route[] {
  return [...lockRoutes(http), ...semaphoreRoutes(http), ...electionRoutes(http)]
}

function lockRoutes(http: HttpContext): Route[] {
  const locks = new LockOverview(http.store, http.world)
  return [
    plainRoute({
      method: 'get',
      path: '/api/v1/locks',
      id: 'listLocks',
      tag: 'coordination',
      summary: 'Every lock that is held or waited for',
      answer: { json: z.array(answers.lock) },
      handle: ({ signal }) => locks.list(callOptions(signal)),
    }),
    plainRoute({
      method: 'get',
      path: '/api/v1/locks/{name}',
      id: 'explainLock',
      tag: 'coordination',
      summary: 'Who holds a lock and who waits; a lock nobody wants has neither',
      params: nameParam,
      answer: { json: answers.lock },
      handle: ({ params, signal }) => locks.explain(params.name, callOptions(signal)),
    }),
    plainRoute({
      method: 'delete',
      path: '/api/v1/locks/{name}',
      id: 'forceReleaseLock',
      isAudited: true,
      tag: 'coordination',
      summary:
        'Takes a lock from its holder; the store refuses its token from then on, and keeps a record for 30 days',
      params: nameParam,
      query: releaseQuery,
      answer: { json: answers.forcedRelease },
      handle: ({ params, query }) => {
        const { by, reason, token } = query
        return locks.forceRelease(params.name, { by, reason, ...(token === undefined ? {} : { token }) })
      },
    }),
  ]
}

function semaphoreRoutes(http: HttpContext): Route[] {
  const semaphores = new SemaphoreOverview(http.store, http.world)
  return [
    plainRoute({
      method: 'get',
      path: '/api/v1/semaphores',
      id: 'listSemaphores',
      tag: 'coordination',
      summary: 'Every semaphore that is held or waited for, or whose limit an operator has set',
      answer: { json: z.array(answers.semaphore) },
      handle: ({ signal }) => semaphores.list(callOptions(signal)),
    }),
    plainRoute({
      method: 'get',
      path: '/api/v1/semaphores/{name}',
      id: 'explainSemaphore',
      tag: 'coordination',
      summary: 'How many permits of a semaphore are out, who holds them and who waits',
      params: nameParam,
      answer: { json: answers.semaphore },
      handle: ({ params, signal }) => semaphores.explain(params.name, callOptions(signal)),
    }),
    plainRoute({
      method: 'delete',
      path: '/api/v1/semaphores/{name}',
      id: 'forceReleasePermits',
      isAudited: true,
      tag: 'coordination',
      summary:
        'Takes the permits of one holder; the store refuses its token from then on, and keeps a record for 30 days',
      params: nameParam,
      query: releaseQuery,
      answer: { json: answers.forcedPermitRelease },
      handle: ({ params, query }) => {
        const { by, reason, token } = query
        return semaphores.forceRelease(params.name, { by, reason, ...(token === undefined ? {} : { token }) })
      },
    }),
    semaphoreLimitRoute(semaphores),
  ]
}

function semaphoreLimitRoute(semaphores: SemaphoreOverview): Route {
  return jsonRoute({
    method: 'put',
    path: '/api/v1/semaphores/{name}/limit',
    id: 'setSemaphoreLimit',
    isAudited: true,
    tag: 'coordination',
    summary: 'Sets the limit for all, whatever their programs say; the store keeps a record for 30 days',
    params: nameParam,
    body: {
      json: z.strictObject({
        ...order,
        limit: z.number().int().min(1).max(limitMax).nullable().describe('null: takes it back'),
      }),
      bytesMax: 4_096,
    },
    answer: { json: answers.limitChange },
    handle: ({ params, body }) => {
      const { limit, by, reason } = body
      return semaphores.setLimit(params.name, limit, { by, reason })
    },
  })
}

function electionRoutes(http: HttpContext): Route[] {
  return [
    plainRoute({
      method: 'get',
      path: '/api/v1/elections',
      id: 'listElections',
      tag: 'coordination',
      summary: 'Every election with its leader and its candidates',
      answer: { json: z.array(answers.election) },
      handle: ({ signal }) => listElections(http.store, callOptions(signal)),
    }),
  ]
}
