import { z } from 'zod'
import { keyView } from '../../key-value-view.ts'
import * as answers from '../answers.ts'
import { durationField, wholeField } from '../fields.ts'
import { callOptions, type HttpContext } from '../http-context.ts'
import { jsonRoute, plainRoute, type Route } from '../route.ts'

const grant = z.object({ lease: z.number().int(), ttlMs: z.number() })
const leaseParam = z.object({ id: wholeField.min(1) })

export function leaseRoutes(http: HttpContext): Route[] {
  return [
    jsonRoute({
      method: 'post',
      path: '/api/v1/leases',
      id: 'grantLease',
      tag: 'leases',
      summary: 'Grants a lease',
      body: { json: z.strictObject({ ttl: durationField }), bytesMax: 1_024 },
      answer: { json: grant },
      handle: ({ body, signal }) => http.store.grantLease({ ttlMs: body.ttl }, callOptions(signal)),
    }),
    plainRoute({
      method: 'post',
      path: '/api/v1/leases/{id}/keep-alive',
      id: 'keepLeaseAlive',
      tag: 'leases',
      summary: "Starts a lease's time anew",
      params: leaseParam,
      answer: { json: grant },
      handle: ({ params, signal }) => http.store.keepLeaseAlive(params.id, callOptions(signal)),
    }),
    plainRoute({
      method: 'delete',
      path: '/api/v1/leases/{id}',
      id: 'revokeLease',
      tag: 'leases',
      summary: 'Ends a lease and deletes its keys',
      params: leaseParam,
      answer: { json: z.object({ revision: z.number().int() }) },
      handle: ({ params, signal }) => http.store.revokeLease(params.id, callOptions(signal)),
    }),
    plainRoute({
      method: 'get',
      path: '/api/v1/leases',
      id: 'listLeases',
      tag: 'leases',
      summary: 'All leases with their keys',
      answer: { json: z.array(answers.lease) },
      handle: async ({ signal }) => {
        const leases = await http.store.leases(callOptions(signal))
        return leases.map((lease) => ({ ...lease, keys: lease.keys.map(keyText) }))
      },
    }),
  ]
}

function keyText(bytes: string): string {
  const { key, keyBase64 = '' } = keyView(bytes)
  return key ?? `base64:${keyBase64}`
}
