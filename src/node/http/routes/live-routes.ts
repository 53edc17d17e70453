import { z } from 'zod'
import { gatewayService } from '../../gateway-server.ts'
import * as answers from '../answers.ts'
import { gatewayViews } from '../gateway-stats.ts'
import { type EventMessage, eventStream } from '../event-stream.ts'
import { callOptions, type HttpContext } from '../http-context.ts'
import { plainRoute, type Route } from '../route.ts'
import { findService } from '../service-overview.ts'

export function liveRoutes(http: HttpContext): Route[] {
  return [
    plainRoute({
      method: 'get',
      path: '/api/v1/gateway',
      id: 'listGateways',
      tag: 'live',
      summary: 'Every gateway that has registered, with its own statistics',
      answer: { json: z.array(answers.gateway) },
      handle: async ({ signal }) => {
        const { instances } = await findService(http.store, gatewayService, callOptions(signal))
        return gatewayViews(instances)
      },
    }),
    plainRoute({
      method: 'get',
      path: '/api/v1/live',
      access: 'overview',
      id: 'live',
      tag: 'live',
      summary: 'All that the console shows, about once a second, as server-sent events `snapshot`',
      description:
        'A part that cannot be read at the moment is null, and `problems` names it; services are then the last that the node knew, and `staleServices` says how old.',
      answer: { media: 'text/event-stream' },
      handle: async ({ context }) => eventStream(http, context, (ended) => snapshots(http, ended)),
    }),
  ]
}

async function* snapshots(http: HttpContext, ended: AbortSignal): AsyncGenerator<EventMessage> {
  for await (const data of http.live.follow(ended)) yield { event: 'snapshot', data }
}
