import { streamSSE } from 'hono/streaming'
import { z } from 'zod'
import { gatewayService } from '../../gateway-server.ts'
import * as answers from '../answers.ts'
import { gatewayViews } from '../gateway-stats.ts'
import { heartbeats } from '../heartbeats.ts'
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
      description: 'A part that cannot be read at the moment is null, and `problems` names it.',
      answer: { media: 'text/event-stream' },
      handle: async ({ context }) => {
        const free = http.streams.take()
        return streamSSE(context, async (stream) => {
          const ended = new AbortController()
          stream.onAbort(() => ended.abort())
          const stopHeartbeats = heartbeats(http.world, stream)
          try {
            for await (const data of http.live.follow(ended.signal))
              await stream.writeSSE({ event: 'snapshot', data })
          } finally {
            stopHeartbeats()
            free()
          }
        })
      },
    }),
  ]
}
