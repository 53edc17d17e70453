import { z } from 'zod'
import { AlthingError } from '../../../contracts/errors.ts'
import type { KeyValue, RangeReply, RangeRequest, ReadOptions, TxnReply } from '../../../contracts/store.ts'
import { storeLimits } from '../../../contracts/store.ts'
import { keyRange, prefixKeyRange } from '../../key-range.ts'
import { keyValueView } from '../../key-value-view.ts'
import * as answers from '../answers.ts'
import { consistencyField, flagField, timeoutField, wholeField } from '../fields.ts'
import { callOptions, type HttpContext } from '../http-context.ts'
import { assertPrecondition, preconditionOf } from '../precondition.ts'
import { bytesRoute, plainRoute, type Route } from '../route.ts'

const limitMax = 10_000
const keyParam = z.object({ key: z.string().min(1).describe('URL-encoded; slashes may stand as they are') })
const readFields = {
  consistency: consistencyField,
  revision: wholeField.min(1).optional().describe('as of this revision of the store'),
  timeout: timeoutField,
}
const ifRevisionField = wholeField
  .optional()
  .describe('only if the mod revision of the key is this; 0: only if there is no such key (else `conflict`)')

export function kvRoutes(http: HttpContext): Route[] {
  return [listItems(http), getItem(http), putItem(http), deleteItem(http)]
}

function listItems(http: HttpContext): Route {
  return plainRoute({
    method: 'get',
    path: '/api/v1/kv',
    id: 'listItems',
    tag: 'store',
    summary: 'Items by prefix, in the order of their keys',
    description:
      'A page that ends with `more: true` is continued by `from` = the last key followed by a NUL (`%00`).',
    query: z.object({
      prefix: z.string().default(''),
      from: z.string().optional().describe('first key wanted (included)'),
      limit: wholeField.min(1).max(limitMax).default(100),
      keysOnly: flagField.optional(),
      ...readFields,
    }),
    answer: {
      json: z.object({
        items: z.array(answers.item),
        count: z.number().int().describe('keys from `from` on, whatever the limit'),
        more: z.boolean(),
        revision: z.number().int(),
      }),
    },
    handle: async ({ query, signal }) => {
      const { prefix, from, limit, keysOnly = false, revision } = query
      const request = {
        ...prefixKeyRange(prefix, from),
        limit,
        keysOnly,
        ...(revision === undefined ? {} : { revision }),
      }
      const reply = await range(http, request, query.consistency, callOptions(signal, query.timeout))
      return {
        items: reply.kvs.map((kv) => keyValueView(kv, !keysOnly)),
        count: reply.count,
        more: reply.more,
        revision: reply.revision,
      }
    },
  })
}

function getItem(http: HttpContext): Route {
  return plainRoute({
    method: 'get',
    path: '/api/v1/kv/{key}',
    id: 'getItem',
    tag: 'store',
    summary: 'One item',
    description:
      'With `raw=true` the answer is the bytes of the value alone. The `ETag` is the mod revision.',
    params: keyParam,
    query: z.object({ ...readFields, raw: flagField.optional() }),
    answer: { json: answers.item, headers: ['ETag'] },
    handle: async ({ params, query, signal, context }) => {
      const { revision } = query
      const request = { ...keyRange(params.key), ...(revision === undefined ? {} : { revision }) }
      const reply = await range(http, request, query.consistency, callOptions(signal, query.timeout))
      const [kv] = reply.kvs
      if (kv === undefined)
        throw new AlthingError('not-found', `there is no key ${params.key}`, {
          details: { key: params.key, revision: reply.revision },
        })
      context.header('ETag', `"${kv.modRevision}"`)
      return query.raw === true ? rawReply(kv) : keyValueView(kv)
    },
  })
}

function putItem(http: HttpContext): Route {
  return bytesRoute({
    method: 'put',
    path: '/api/v1/kv/{key}',
    id: 'putItem',
    tag: 'store',
    summary: 'Writes the body as the value of a key',
    description:
      '`If-Match: "REVISION"` and `If-None-Match: *` say the same as `ifRevision`; then a mismatch is status 412.',
    params: keyParam,
    query: z.object({
      lease: wholeField.optional().describe('the key is deleted with this lease'),
      ifRevision: ifRevisionField,
      timeout: timeoutField,
    }),
    body: { bytesMax: storeLimits.valueBytesMax },
    answer: { json: z.object({ key: z.string(), revision: z.number().int() }), headers: ['ETag'] },
    handle: async ({ params, query, body, signal, context }) => {
      const { key } = params
      const precondition = preconditionOf(key, query.ifRevision, context.req.raw.headers)
      const { lease } = query
      const put = {
        op: 'put',
        ...keyRange(key),
        value: body,
        ...(lease === undefined ? {} : { lease }),
      } as const
      const reply = await http.store.txn(
        { compare: precondition.compare, then: [put] },
        callOptions(signal, query.timeout),
      )
      assertPrecondition(precondition, reply, key)
      context.header('ETag', `"${reply.revision}"`)
      return { key, revision: reply.revision }
    },
  })
}

function deleteItem(http: HttpContext): Route {
  return plainRoute({
    method: 'delete',
    path: '/api/v1/kv/{key}',
    id: 'deleteItem',
    tag: 'store',
    summary: 'Deletes a key',
    params: keyParam,
    query: z.object({ ifRevision: ifRevisionField, timeout: timeoutField }),
    answer: { json: z.object({ deleted: z.number().int(), revision: z.number().int() }) },
    handle: async ({ params, query, signal, context }) => {
      const { key } = params
      const precondition = preconditionOf(key, query.ifRevision, context.req.raw.headers)
      const reply = await http.store.txn(
        { compare: precondition.compare, then: [{ op: 'delete', ...keyRange(key) }] },
        callOptions(signal, query.timeout),
      )
      assertPrecondition(precondition, reply, key)
      return { deleted: deletedBy(reply), revision: reply.revision }
    },
  })
}

/** A serializable read asks this node's own copy, and nobody else: it works when the rest of the cluster is gone. */
function range(
  http: HttpContext,
  request: RangeRequest,
  consistency: ReadOptions['consistency'],
  options: ReadOptions,
): Promise<RangeReply> {
  return consistency === 'serializable' ? http.node.rangeHere(request) : http.store.range(request, options)
}

/** The value may be anything, a page with scripts too: no browser may take it for one. */
function rawReply(kv: KeyValue): Response {
  return new Response(Buffer.from(kv.value), {
    headers: {
      'Content-Type': 'application/octet-stream',
      'Content-Disposition': 'attachment',
      ETag: `"${kv.modRevision}"`,
    },
  })
}

function deletedBy(reply: TxnReply): number {
  const [first] = reply.replies
  return first?.op === 'delete' ? first.deleted : 0
}
