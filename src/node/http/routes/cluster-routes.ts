import { z } from 'zod'
import type { HttpContext } from '../http-context.ts'
import { plainRoute, type Route } from '../route.ts'
import { groupRoutes } from './group-routes.ts'
import { memberRoutes } from './member-routes.ts'
import * as answers from '../answers.ts'

/** What operators see and do: what endangers the cluster, its members, its groups. */
export function clusterRoutes(http: HttpContext): Route[] {
  return [
    plainRoute({
      method: 'get',
      path: '/api/v1/doctor',
      access: 'overview',
      id: 'getDoctor',
      tag: 'cluster',
      summary: 'What endangers the cluster, and what to do about it, most serious first',
      description:
        'Every member is asked now. What is in order is listed too, with the figure that shows it.',
      answer: { json: z.object({ findings: z.array(answers.finding) }) },
      handle: async () => ({ findings: await http.health.examine() }),
    }),
    ...memberRoutes(http),
    ...groupRoutes(http),
  ]
}
