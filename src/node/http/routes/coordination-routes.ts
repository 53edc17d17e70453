import { z } from 'zod'
import { LockOverview } from '../../../coordination/locks/lock-overview.ts'
import * as answers from '../answers.ts'
import { listElections } from '../election-overview.ts'
import { wholeField } from '../fields.ts'
import { callOptions, type HttpContext } from '../http-context.ts'
import { plainRoute, type Route } from '../route.ts'

const nameParam = z.object({ name: z.string().min(1).describe('URL-encoded') })

export function coordinationRoutes(http: HttpContext): Route[] {
  return [...lockRoutes(http), ...electionRoutes(http)]
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
      query: z.object({
        by: z.string().min(1).describe('who does it'),
        reason: z.string().min(1),
        token: wholeField.optional().describe('only if the holder has this token (else `conflict`)'),
      }),
      answer: { json: answers.forcedRelease },
      handle: ({ params, query }) => {
        const { by, reason, token } = query
        return locks.forceRelease(params.name, { by, reason, ...(token === undefined ? {} : { token }) })
      },
    }),
  ]
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
