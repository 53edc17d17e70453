import { z } from 'zod'
import { AlthingError } from '../../../contracts/errors.ts'
import {
  type HostOptions,
  HostedRegistrations,
} from '../../../coordination/discovery/hosted-registrations.ts'
import * as answers from '../service-answers.ts'
import { durationField, flagField } from '../fields.ts'
import { callTimeoutMs, type HttpContext } from '../http-context.ts'
import { jsonRoute, plainRoute, type Route } from '../route.ts'

const bodyBytesMax = 32 * 1_024
const call = { timeoutMs: callTimeoutMs }

const placeParams = z.object({
  name: z.string().min(1).describe('of the service'),
  id: z.string().min(1).describe('of the instance, unique within the service'),
})

const schedule = {
  interval: durationField.optional().describe("default '5s'"),
  timeout: durationField.optional().describe("default '2s'"),
  unhealthyAfter: z.number().int().optional().describe('failures in a row; default 3'),
  healthyAfter: z.number().int().optional().describe('successes in a row; default 2'),
  flap: z
    .strictObject({ changesMax: z.number().int().optional(), window: durationField.optional() })
    .optional(),
  removeAfter: durationField
    .optional()
    .describe('an instance that has been unhealthy for so long is removed'),
}

const checkBody = z
  .union([
    z.strictObject({
      http: z.string(),
      expectStatus: z.union([z.number().int(), z.tuple([z.number().int(), z.number().int()])]).optional(),
      ...schedule,
    }),
    z.strictObject({ tcp: z.string(), ...schedule }),
    z.strictObject({ script: z.tuple([z.string()], z.string()), ...schedule }),
  ])
  .describe('run by one of the nodes, wherever the instance is')

const registrationBody = z.strictObject({
  address: z.string().describe('host:port'),
  zone: z.string().optional(),
  version: z.string().optional(),
  weight: z.number().optional(),
  metadata: z.record(z.string(), z.string()).optional(),
  ttl: durationField
    .optional()
    .describe('without a renewal within this time the instance is gone; needed unless there is a check'),
  check: checkBody.optional(),
  takeOver: z.boolean().optional().describe('replace an instance that a process has registered itself'),
})

/** Registration for programs that hold no lease themselves: scripts, and other languages. */
export function serviceRegistrationRoutes(http: HttpContext): Route[] {
  const hosted = new HostedRegistrations(http.store, http.world)
  return [registerRoute(http, hosted), ...keepingRoutes(hosted)]
}

function registerRoute(http: HttpContext, hosted: HostedRegistrations): Route {
  return jsonRoute({
    method: 'put',
    path: '/api/v1/services/{name}/{id}',
    id: 'registerInstance',
    tag: 'coordination',
    summary: 'Registers an instance, or changes it; the same request again renews it',
    description: 'A check that runs a program is taken only by a node that was started with --checks all.',
    params: placeParams,
    body: { json: registrationBody, bytesMax: bodyBytesMax },
    answer: { json: answers.hostedInstance },
    handle: async ({ params, body }) => {
      if (body.check !== undefined && 'script' in body.check && http.services?.allowsScripts !== true) {
        throw new AlthingError('permission-denied', 'this node runs no programs as checks (--checks all)', {
          outcome: 'none',
        })
      }
      // Optional fields that were not given are absent, not undefined: JSON has no undefined.
      const description = body as unknown as Omit<HostOptions, 'service' | 'id'>
      return await hosted.register({ ...description, service: params.name, id: params.id }, call)
    },
  })
}

function keepingRoutes(hosted: HostedRegistrations): Route[] {
  const placeOf = ({ name, id }: { readonly name: string; readonly id: string }) => ({ service: name, id })
  return [
    plainRoute({
      method: 'post',
      path: '/api/v1/services/{name}/{id}/renew',
      id: 'renewInstance',
      tag: 'coordination',
      summary: "Starts the instance's ttl anew; `not-found` when it has ended: register again",
      params: placeParams,
      answer: { json: z.object({ ttlMs: z.number().nullable() }) },
      handle: async ({ params }) => ({ ttlMs: (await hosted.renew(placeOf(params), call)).ttlMs ?? null }),
    }),
    plainRoute({
      method: 'post',
      path: '/api/v1/services/{name}/{id}/health',
      id: 'reportInstance',
      tag: 'coordination',
      summary: 'What the instance says of its own health; `conflict` where the cluster checks it',
      params: placeParams,
      query: z.object({ ok: flagField, note: z.string().max(256).optional() }),
      answer: { json: z.object({}) },
      handle: async ({ params, query }) => {
        await hosted.report(placeOf(params), query.ok, query.note, call)
        return {}
      },
    }),
    plainRoute({
      method: 'post',
      path: '/api/v1/services/{name}/{id}/drain',
      id: 'drainInstance',
      tag: 'coordination',
      summary: 'Marks the instance as draining: nothing new is sent to it; registering again ends it',
      params: placeParams,
      answer: { json: z.object({}) },
      handle: async ({ params }) => {
        await hosted.drain(placeOf(params), call)
        return {}
      },
    }),
    plainRoute({
      method: 'delete',
      path: '/api/v1/services/{name}/{id}',
      id: 'deregisterInstance',
      tag: 'coordination',
      summary: 'Removes an instance that was registered here',
      params: placeParams,
      answer: { json: z.object({ removed: z.boolean() }) },
      handle: async ({ params }) => ({ removed: await hosted.deregister(placeOf(params), call) }),
    }),
  ]
}
