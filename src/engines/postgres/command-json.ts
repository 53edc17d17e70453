import { type ByteString, byteStringFromBytes } from '../../base/bytes.ts'
import type { Compare, KeyValue, Operation, OperationReply, TxnReply } from '../../contracts/store.ts'
import type { TxnMutation } from '../../models/store/txn.ts'
import type { StoreMutation } from '../../models/store/types.ts'
import { boundsOf } from './key-bounds.ts'

/**
 * The form in which commands go to the server (`sql/applying.ts`): JSON, byte strings as hexadecimal text. It is the caller's command of this moment: what happens to its buffers
 * afterwards does not matter.
 */
export function encodeCommand(
  mutation: Exclude<StoreMutation, { type: 'compact' | 'closeSession' }>,
): string {
  return JSON.stringify(mutation.type === 'txn' ? { type: 'txn', ...txnJson(mutation) } : mutation)
}

export function encodeTxn(txn: TxnMutation): string {
  return JSON.stringify(txnJson(txn))
}

function txnJson(txn: TxnMutation): object {
  return {
    compare: txn.compare.map(compareJson),
    then: txn.then.map(operationJson),
    else: txn.else.map(operationJson),
  }
}

function compareJson(compare: Compare): unknown[] {
  const value = compare.target === 'value' ? hexOfBytes(compare.value) : compare.value
  return [compare.target, hexOf(compare.key), compare.op, value]
}

function operationJson(operation: Operation): object {
  const { from, end } = boundsOf(operation)
  const range = { op: operation.op, from: hexOf(from), end: hexOf(end) }
  if (operation.op === 'range') {
    const { limit, revision } = operation
    return {
      ...range,
      ...(revision === undefined ? {} : { at: revision }),
      ...(limit === undefined ? {} : { limit }),
      ...(operation.order === 'descending' ? { descending: true } : {}),
      ...(operation.keysOnly === true ? { keysOnly: true } : {}),
      ...(operation.countOnly === true ? { countOnly: true } : {}),
    }
  }
  const previous = operation.previous === true ? { previous: true } : {}
  if (operation.op === 'delete') return { ...range, ...previous }
  const lease = operation.lease === 'keep' ? -1 : (operation.lease ?? 0)
  return { ...range, value: hexOfBytes(operation.value), ...(lease === 0 ? {} : { lease }), ...previous }
}

/** `[key, value, createRevision, modRevision, version, lease]` */
type KeyValueJson = readonly [string, string, number, number, number, number]

export interface TxnReplyJson {
  readonly revision: number
  readonly succeeded: boolean
  readonly replies: readonly OperationReplyJson[]
}

interface OperationReplyJson {
  readonly kvs?: readonly KeyValueJson[]
  readonly count?: number
  readonly more?: boolean
  readonly deleted?: number
  readonly previous?: KeyValueJson | readonly KeyValueJson[]
}

/** `txn` is the request that was answered. */
export function decodeTxnReply(reply: TxnReplyJson, txn: TxnMutation): TxnReply {
  const operations = reply.succeeded ? txn.then : txn.else
  return {
    revision: reply.revision,
    succeeded: reply.succeeded,
    replies: reply.replies.map((each, i) => operationReply(each, (operations[i] as Operation).op)),
  }
}

function operationReply(reply: OperationReplyJson, op: Operation['op']): OperationReply {
  const { kvs = [], count = 0, more = false, deleted = 0, previous } = reply
  if (op === 'range') return { op, kvs: kvs.map(keyValue), count, more }
  if (op === 'put')
    return previous === undefined ? { op } : { op, previous: keyValue(previous as KeyValueJson) }
  return previous === undefined
    ? { op, deleted }
    : { op, deleted, previous: (previous as readonly KeyValueJson[]).map(keyValue) }
}

function keyValue([key, value, createRevision, modRevision, version, lease]: KeyValueJson): KeyValue {
  return {
    key: byteStringFromBytes(Buffer.from(key, 'hex')),
    value: Buffer.from(value, 'hex'),
    createRevision,
    modRevision,
    version,
    lease,
  }
}

function hexOf(bytes: ByteString): string {
  return Buffer.from(bytes, 'latin1').toString('hex')
}

function hexOfBytes(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')
}
