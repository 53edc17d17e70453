import { z } from 'zod'
import type { HttpContext } from '../http-context.ts'
import { plainRoute, type Route } from '../route.ts'

export function systemRoutes(http: HttpContext): Route[] {
  return [
    plainRoute({
      method: 'get',
      path: '/health',
      access: 'open',
      id: 'getHealth',
      tag: 'system',
      summary: 'Whether the process serves: restart it when not',
      answer: { json: z.object({ ok: z.boolean(), problem: z.string().optional() }) },
      alsoAnswers: { 503: 'The node has failed and must be restarted' },
      handle: async ({ context }) => {
        const failure = http.node.failure()
        if (failure === undefined) return { ok: true }
        return context.json({ ok: false, problem: failure.message }, 503)
      },
    }),
    plainRoute({
      method: 'get',
      path: '/ready',
      access: 'open',
      id: 'getReady',
      tag: 'system',
      summary: 'Whether the node knows a leader and has caught up: send it nothing when not',
      answer: { json: z.object({ ready: z.boolean(), problem: z.string().optional() }) },
      alsoAnswers: { 503: 'Not ready; `problem` says why' },
      handle: async ({ context }) => {
        const { isReady, problem } = http.node.status()
        if (isReady) return { ready: true }
        return context.json({ ready: false, ...(problem === undefined ? {} : { problem }) }, 503)
      },
    }),
    plainRoute({
      method: 'get',
      path: '/metrics',
      id: 'getMetrics',
      tag: 'system',
      summary: 'Metrics in the text format of Prometheus',
      answer: { media: 'text/plain' },
      handle: async () => {
        const { text, contentType } = await http.metrics()
        return new Response(text, { headers: { 'Content-Type': contentType } })
      },
    }),
  ]
}
