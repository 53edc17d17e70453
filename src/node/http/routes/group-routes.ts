import { z } from 'zod'
import * as answers from '../answers.ts'
import { groupOverview } from '../group-overview.ts'
import type { HttpContext } from '../http-context.ts'
import { jsonRoute, plainRoute, type Route } from '../route.ts'

/** How long the answer waits for a new group to serve; it comes to serve all the same. */
const waitMs = 5_000

/** Stores of their own beside the cluster's. */
export function groupRoutes(http: HttpContext): Route[] {
  return [
    plainRoute({
      method: 'get',
      path: '/api/v1/groups',
      access: 'overview',
      id: 'listGroups',
      tag: 'groups',
      summary: 'The groups: who leads them, where their copies are, how large they are',
      answer: { json: z.array(answers.group) },
      handle: () => groupOverview(http),
    }),
    jsonRoute({
      method: 'post',
      path: '/api/v1/groups',
      access: 'operator',
      id: 'createGroup',
      tag: 'groups',
      summary: 'Creates a group; clients open it as althing://HOST:PORT/NAME',
      body: {
        json: z.strictObject({ name: z.string().max(63), replicas: z.number().int().min(1).optional() }),
        bytesMax: 1_024,
      },
      answer: {
        json: z.object({
          id: z.number().int(),
          name: z.string(),
          members: z.array(z.number().int()),
          isServing: z.boolean().describe('false: it is being set up, and serves soon'),
        }),
      },
      handle: ({ body }) => http.node.operate('group.create', { ...body, waitMs }),
    }),
    plainRoute({
      method: 'delete',
      path: '/api/v1/groups/{name}',
      access: 'operator',
      id: 'removeGroup',
      tag: 'groups',
      summary: 'Removes a group and all that is in it',
      params: z.object({ name: z.string().min(1).max(63) }),
      answer: { json: z.object({ id: z.number().int(), name: z.string() }) },
      handle: ({ params }) => http.node.operate('group.remove', { name: params.name }),
    }),
  ]
}
