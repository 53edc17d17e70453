import { z } from 'zod'
import { storeLimits } from '../../../contracts/store.ts'
import { txnDocument, txnRequestFrom, txnView } from '../../txn-document.ts'
import * as answers from '../answers.ts'
import { timeoutField } from '../fields.ts'
import { callOptions, type HttpContext } from '../http-context.ts'
import { jsonRoute, type Route } from '../route.ts'

/** Values may be base64, which takes a third more, in JSON, which escapes. */
const bodyBytesMax = 2 * storeLimits.txnBytesMax

const reply = z.discriminatedUnion('op', [
  z.object({ op: z.literal('put'), previous: answers.item.optional() }),
  z.object({
    op: z.literal('delete'),
    deleted: z.number().int(),
    previous: z.array(answers.item).optional(),
  }),
  z.object({
    op: z.literal('get'),
    items: z.array(answers.item),
    count: z.number().int(),
    more: z.boolean(),
  }),
])

export function txnRoutes(http: HttpContext): Route[] {
  return [
    jsonRoute({
      method: 'post',
      path: '/api/v1/txn',
      id: 'transact',
      tag: 'store',
      summary: 'Compares, then does one of two lists of operations, as one',
      query: z.object({ timeout: timeoutField }),
      body: { json: txnDocument, bytesMax: bodyBytesMax },
      answer: {
        json: z.object({
          succeeded: z.boolean().describe('which branch was taken'),
          revision: z.number().int(),
          replies: z.array(reply),
        }),
      },
      handle: async ({ body, query, signal }) =>
        txnView(await http.store.txn(txnRequestFrom(body), callOptions(signal, query.timeout))),
    }),
  ]
}
