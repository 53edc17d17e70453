import * as answers from '../answers.ts'
import { clusterView } from '../cluster-view.ts'
import type { HttpContext } from '../http-context.ts'
import { plainRoute, type Route } from '../route.ts'

export function statusRoutes(http: HttpContext): Route[] {
  return [
    plainRoute({
      method: 'get',
      path: '/api/v1/status',
      id: 'getStatus',
      tag: 'cluster',
      summary: 'What this node says of itself',
      answer: { json: answers.nodeStatus },
      handle: async () => http.node.status(),
    }),
    plainRoute({
      method: 'get',
      path: '/api/v1/cluster',
      id: 'getCluster',
      tag: 'cluster',
      summary: 'What every member says of itself, asked now',
      answer: { json: answers.cluster },
      handle: () => clusterView(http),
    }),
  ]
}
