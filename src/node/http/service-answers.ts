import { z } from 'zod'
import type { CheckSpec } from '../../coordination/discovery/check-types.ts'
import type { ServiceInstance } from '../../coordination/discovery/discovery-types.ts'
import { type Describes, whole } from './answers.ts'
import type { KnownServiceView, ServiceView } from './service-overview.ts'

const checkSpec = z.object({
  kind: z.enum(['http', 'tcp', 'script']),
  target: z.string(),
  args: z.array(z.string()).optional(),
  expectStatus: z.tuple([whole, whole]).optional(),
  by: z.enum(['self', 'cluster']),
  removeAfterMs: z.number().optional(),
  intervalMs: z.number(),
  timeoutMs: z.number(),
  unhealthyAfter: whole,
  healthyAfter: whole,
  flapChangesMax: whole,
  flapWindowMs: z.number(),
}) satisfies Describes<CheckSpec>

const instance = z
  .object({
    service: z.string(),
    id: z.string(),
    address: z.string(),
    zone: z.string(),
    version: z.string(),
    weight: z.number(),
    metadata: z.record(z.string(), z.string()),
    state: z.enum(['up', 'draining']),
    health: z.object({
      state: z.enum(['healthy', 'unhealthy', 'unknown']),
      flapping: z.boolean(),
      results: z.array(z.object({ ok: z.boolean(), atMs: z.number(), note: z.string().optional() })),
    }),
    check: checkSpec.optional(),
    registrar: z.enum(['process', 'api']),
    registeredAtMs: z.number(),
    registrationRevision: whole,
    revision: whole,
  })
  .meta({ id: 'ServiceInstance' }) satisfies Describes<ServiceInstance>

export const service = z
  .object({ name: z.string(), instances: z.array(instance) })
  .meta({ id: 'Service' }) satisfies Describes<ServiceView>

export const knownService = service
  .extend({
    revision: whole,
    stale: z
      .boolean()
      .describe('the node has no quorum, or has not heard from it: this is the last that it knew'),
    ageMs: z
      .number()
      .describe('since the node heard from the cluster last; 0 when the answer is of the cluster'),
  })
  .meta({ id: 'KnownService' }) satisfies Describes<KnownServiceView>

export const hostedInstance = instance
