import { z } from 'zod'
import { AlthingError } from '../../../contracts/errors.ts'
import { WatchedLiveSet } from '../../../coordination/discovery/live-set.ts'
import type { LiveSetState } from '../../../coordination/discovery/discovery-types.ts'
import { serviceRange, servicesPrefix } from '../../../coordination/discovery/instance-entry.ts'
import { prefixRange } from '../../../coordination/locks/lock-entry.ts'
import * as answers from '../service-answers.ts'
import { type EventMessage, eventStream } from '../event-stream.ts'
import { consistencyField, timeoutField } from '../fields.ts'
import type { HttpContext } from '../http-context.ts'
import { plainRoute, type Route } from '../route.ts'
import { lookUp, matches, type ServiceFilter } from '../service-lookup.ts'
import { groupServices } from '../service-overview.ts'

/** A caller that waits for addresses is better served with old ones than late. */
const lookupTimeoutMs = 2_000
const staleAfterMs = 10_000

const nameParam = z.object({ name: z.string().min(1).describe('URL-encoded') })
const filterFields = {
  health: z
    .enum(['healthy', 'any'])
    .optional()
    .describe("'healthy' (default for one service): up and healthy only; 'any' (default for the list)"),
  zone: z.string().optional(),
  version: z.string().optional(),
}
const readFields = { ...filterFields, consistency: consistencyField, timeout: timeoutField }

function filterOf(
  query: {
    readonly health?: string | undefined
    readonly zone?: string | undefined
    readonly version?: string | undefined
  },
  byDefault: 'healthy' | 'any',
): ServiceFilter {
  return {
    isHealthyOnly: (query.health ?? byDefault) === 'healthy',
    zone: query.zone,
    appVersion: query.version,
  }
}

/** Where services are. */
export function serviceRoutes(http: HttpContext): Route[] {
  return [listRoute(http), getRoute(http), watchRoute(http)]
}

function listRoute(http: HttpContext): Route {
  return plainRoute({
    method: 'get',
    path: '/api/v1/services',
    id: 'listServices',
    tag: 'coordination',
    summary: 'Every service that has instances',
    description:
      'When the node has no quorum it answers with what it knew last, and the header `X-Althing-Stale-Ms` says how long ago that was.',
    query: z.object(readFields),
    answer: { json: z.array(answers.service), headers: ['X-Althing-Stale-Ms'] },
    handle: async ({ query, signal, context }) => {
      const { consistency, timeout: timeoutMs = lookupTimeoutMs } = query
      const found = await lookUp(http, prefixRange(servicesPrefix), { consistency, timeoutMs, signal })
      if (found.stale) context.header('X-Althing-Stale-Ms', String(Math.round(found.ageMs)))
      const filter = filterOf(query, 'any')
      return groupServices(found.instances.filter((instance) => matches(instance, filter)))
    },
  })
}

function getRoute(http: HttpContext): Route {
  return plainRoute({
    method: 'get',
    path: '/api/v1/services/{name}',
    id: 'getService',
    tag: 'coordination',
    summary: 'The instances of a service that can be used now',
    description:
      'When the node has no quorum it answers with what it knew last: `stale` is true then, and `ageMs` says how long ago that was. `not-found` when the service has no instance at all.',
    params: nameParam,
    query: z.object(readFields),
    answer: { json: answers.knownService },
    handle: async ({ params, query, signal }) => {
      const { consistency, timeout: timeoutMs = lookupTimeoutMs } = query
      const { instances, ...known } = await lookUp(http, serviceRange(params.name), {
        consistency,
        timeoutMs,
        signal,
      })
      if (instances.length === 0) {
        throw new AlthingError('not-found', `service ${params.name} has no instances`, {
          details: { stale: known.stale },
        })
      }
      const filter = filterOf(query, 'healthy')
      return {
        name: params.name,
        ...known,
        instances: instances.filter((instance) => matches(instance, filter)),
      }
    },
  })
}

function watchRoute(http: HttpContext): Route {
  return plainRoute({
    method: 'get',
    path: '/api/v1/services/{name}/watch',
    id: 'watchService',
    tag: 'coordination',
    summary: 'The instances of a service, now and after each change, as server-sent events',
    description: [
      'Events `state` carry the whole set, as `getService` does; the id of an event is its revision. States that follow each other faster than they are read are passed over. A silence of the cluster is told',
      'as a state that is `stale`, and its end as one that is not. The set is told anew after a reconnect.',
    ].join(' '),
    params: nameParam,
    query: z.object(filterFields),
    answer: { media: 'text/event-stream' },
    handle: ({ params, query, context }) => {
      serviceRange(params.name)
      const filter = filterOf(query, 'healthy')
      return Promise.resolve(eventStream(http, context, (ended) => states(http, params.name, filter, ended)))
    },
  })
}

async function* states(
  http: HttpContext,
  service: string,
  filter: ServiceFilter,
  ended: AbortSignal,
): AsyncGenerator<EventMessage> {
  const { store, world } = http
  const liveSet = new WatchedLiveSet({ store, world, service, staleAfterMs, onClose: () => {} })
  const close = (): void => liveSet.close()
  ended.addEventListener('abort', close, { once: true })
  if (ended.aborted) close()
  try {
    await liveSet.ready
    for await (const state of liveSet.changes) yield eventOf(service, state, filter)
  } finally {
    ended.removeEventListener('abort', close)
    close()
  }
}

function eventOf(
  name: string,
  { instances, stale, revision }: LiveSetState,
  filter: ServiceFilter,
): EventMessage {
  const shown = instances.filter((instance) => matches(instance, filter))
  const data = JSON.stringify({ name, instances: shown, stale, revision })
  return { event: 'state', data, id: String(revision) }
}
