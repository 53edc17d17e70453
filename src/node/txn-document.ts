import { z } from 'zod'
import { byteStringFromText, bytesFromText, prefixEnd } from '../base/bytes.ts'
import { type AlthingError, invalidArgument } from '../contracts/errors.ts'
import type { Compare, KeyRange, Operation, TxnReply, TxnRequest } from '../contracts/store.ts'
import { keyValueView, type KeyValueView } from './key-value-view.ts'

const key = z.string().describe('text; its UTF-8 bytes are the key')
const text = z.string().optional().describe('the value as text')
const base64 = z.base64().optional().describe('the value as bytes, instead of `value`')
const whole = z.number().int().min(0)
const compareOp = z.enum(['=', '!=', '<', '>'])

const compare = z.discriminatedUnion('target', [
  z.strictObject({ target: z.literal('value'), key, op: compareOp, value: text, valueBase64: base64 }),
  z.strictObject({
    target: z.enum(['version', 'createRevision', 'modRevision', 'lease']),
    key,
    op: compareOp,
    value: whole,
  }),
])

const rangeFields = {
  key: key.optional(),
  end: z.string().optional().describe('the range from `key` up to here (excluded)'),
  prefix: z.string().optional().describe('all keys that start with it, instead of `key`'),
}

const operation = z.discriminatedUnion('op', [
  z.strictObject({
    op: z.literal('put'),
    key,
    value: text,
    valueBase64: base64,
    lease: z.union([whole, z.literal('keep')]).optional(),
    previous: z.boolean().optional(),
  }),
  z.strictObject({ op: z.literal('delete'), ...rangeFields, previous: z.boolean().optional() }),
  z.strictObject({
    op: z.literal('get'),
    ...rangeFields,
    limit: whole.optional(),
    keysOnly: z.boolean().optional(),
    countOnly: z.boolean().optional(),
    revision: whole.min(1).optional(),
  }),
])

/** A transaction as a JSON document: what `POST /api/v1/txn` and `althing txn` take. */
export const txnDocument = z
  .strictObject({
    compare: z.array(compare).optional().describe('all must hold for `then` to be done'),
    then: z.array(operation).optional(),
    else: z.array(operation).optional(),
  })
  .meta({ id: 'Transaction' })

export type TxnDocument = z.output<typeof txnDocument>

/** Throws `invalid-argument`, naming the field. */
export function txnRequestFrom(document: TxnDocument): TxnRequest {
  return {
    compare: (document.compare ?? []).map((each, i) => compareFrom(each, `compare[${i}]`)),
    then: (document.then ?? []).map((each, i) => operationFrom(each, `then[${i}]`)),
    else: (document.else ?? []).map((each, i) => operationFrom(each, `else[${i}]`)),
  }
}

function compareFrom(each: z.output<typeof compare>, field: string): Compare {
  const bytes = byteStringFromText(each.key)
  if (each.target !== 'value') return { target: each.target, key: bytes, op: each.op, value: each.value }
  return { target: 'value', key: bytes, op: each.op, value: valueFrom(each, field) }
}

function operationFrom(each: z.output<typeof operation>, field: string): Operation {
  if (each.op === 'put') {
    const { lease, previous } = each
    return {
      op: 'put',
      key: byteStringFromText(each.key),
      value: valueFrom(each, field),
      ...(lease === undefined ? {} : { lease }),
      ...(previous === undefined ? {} : { previous }),
    }
  }
  const { op, key: _, end: __, prefix: ___, ...rest } = each
  const options = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined))
  return { ...options, op: op === 'get' ? 'range' : 'delete', ...rangeFrom(each, field) } as Operation
}

function rangeFrom(
  each: {
    readonly key?: string | undefined
    readonly end?: string | undefined
    readonly prefix?: string | undefined
  },
  field: string,
): KeyRange {
  if ((each.key === undefined) === (each.prefix === undefined))
    throw notOne(field, each, "of 'key' and 'prefix' exactly one")
  if (each.prefix !== undefined) {
    if (each.end !== undefined) throw notOne(field, each, "'end' only with 'key'")
    const start = byteStringFromText(each.prefix)
    return { key: start, end: prefixEnd(start) ?? null }
  }
  const start = byteStringFromText(each.key as string)
  return each.end === undefined ? { key: start } : { key: start, end: byteStringFromText(each.end) }
}

function valueFrom(
  each: { readonly value?: string | undefined; readonly valueBase64?: string | undefined },
  field: string,
): Uint8Array {
  if ((each.value === undefined) === (each.valueBase64 === undefined))
    throw notOne(field, each, "of 'value' and 'valueBase64' exactly one")
  return each.value === undefined ? Buffer.from(each.valueBase64 ?? '', 'base64') : bytesFromText(each.value)
}

function notOne(field: string, given: unknown, allowed: string): AlthingError {
  return invalidArgument(field, given, allowed)
}

/** What a transaction did, as JSON. The replies stand in the order of the operations of the branch that was taken. */
export interface TxnView {
  readonly succeeded: boolean
  readonly revision: number
  readonly replies: readonly TxnReplyView[]
}

export type TxnReplyView =
  | { readonly op: 'put'; readonly previous?: KeyValueView }
  | { readonly op: 'delete'; readonly deleted: number; readonly previous?: readonly KeyValueView[] }
  | {
      readonly op: 'get'
      readonly items: readonly KeyValueView[]
      readonly count: number
      readonly more: boolean
    }

export function txnView(reply: TxnReply): TxnView {
  const { succeeded, revision } = reply
  return { succeeded, revision, replies: reply.replies.map(replyView) }
}

function replyView(reply: TxnReply['replies'][number]): TxnReplyView {
  switch (reply.op) {
    case 'put':
      return {
        op: 'put',
        ...(reply.previous === undefined ? {} : { previous: keyValueView(reply.previous) }),
      }
    case 'delete': {
      const previous = reply.previous?.map((kv) => keyValueView(kv))
      return { op: 'delete', deleted: reply.deleted, ...(previous === undefined ? {} : { previous }) }
    }
    case 'range':
      return {
        op: 'get',
        items: reply.kvs.map((kv) => keyValueView(kv)),
        count: reply.count,
        more: reply.more,
      }
  }
}
