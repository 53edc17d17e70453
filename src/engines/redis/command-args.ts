import type { ByteString } from '../../base/bytes.ts'
import type { Compare, KeyRange, Operation, OperationReply, TxnReply } from '../../contracts/store.ts'
import type { TxnMutation } from '../../models/store/txn.ts'
import type { StoreMutation } from '../../models/store/types.ts'
import { keyValueOf, type RawKeyValue } from './key-values.ts'
import type { RedisArgument } from './library.ts'

/**
 * The form in which commands go to the scripts (`scripts/writing.ts`): a flat list of arguments, numbers as decimal text. It is the caller's command of this moment: what happens to its buffers afterwards does not matter.
 */
export function commandArgs(
  mutation: Exclude<StoreMutation, { type: 'compact' | 'closeSession' }>,
): RedisArgument[] {
  switch (mutation.type) {
    case 'grantLease':
      return ['G', String(mutation.ttlMs)]
    case 'revokeLease':
      return ['R', String(mutation.lease)]
    case 'txn':
      return ['T', ...txnArgs(mutation)]
  }
}

export function txnArgs({ compare, then, else: otherwise }: TxnMutation): RedisArgument[] {
  const args: RedisArgument[] = [String(compare.length)]
  for (const each of compare) args.push(...compareArgs(each))
  for (const branch of [then, otherwise]) {
    args.push(String(branch.length))
    for (const operation of branch) args.push(...operationArgs(operation))
  }
  return args
}

function compareArgs(compare: Compare): RedisArgument[] {
  const value = compare.target === 'value' ? Buffer.from(compare.value) : String(compare.value)
  return [compare.target, bufferOf(compare.key), compare.op, value]
}

function operationArgs(operation: Operation): RedisArgument[] {
  if (operation.op === 'put') {
    const lease = operation.lease === 'keep' ? -1 : (operation.lease ?? 0)
    return [
      'p',
      bufferOf(operation.key),
      Buffer.from(operation.value),
      String(lease),
      flag(operation.previous),
    ]
  }
  const bounds = boundArgs(operation)
  if (operation.op === 'delete') return ['d', ...bounds, flag(operation.previous)]
  return [
    'r',
    ...bounds,
    operation.revision === undefined ? '' : String(operation.revision),
    String(operation.limit ?? 0),
    flag(operation.order === 'descending'),
    flag(operation.keysOnly),
    flag(operation.countOnly),
  ]
}

/** The two bounds as an index of Redis has them. */
export function boundArgs({ key, end }: KeyRange): [low: RedisArgument, high: RedisArgument] {
  if (end === null) return [bufferOf(`[${key}`), '+']
  return [bufferOf(`[${key}`), end === undefined ? bufferOf(`[${key}`) : bufferOf(`(${end}`)]
}

export function bufferOf(bytes: ByteString): Buffer {
  return Buffer.from(bytes, 'latin1')
}

export function flag(value: boolean | undefined): string {
  return value === true ? '1' : '0'
}

export function bytesOf(args: readonly RedisArgument[]): number {
  let bytes = 0
  for (const each of args) bytes += each.length + 8
  return bytes
}

/** `[revision, succeeded, replies]` */
export type RawTxnReply = readonly [number, number, readonly RawOperationReply[]]

/** `[count, more, kvs]` of a range, `[kv?]` of a put, `[deleted, kvs?]` of a delete. */
type RawOperationReply = readonly unknown[]

/** `txn` is the request that was answered. */
export function txnReplyOf([revision, held, replies]: RawTxnReply, txn: TxnMutation): TxnReply {
  const succeeded = held === 1
  const operations = succeeded ? txn.then : txn.else
  return {
    revision,
    succeeded,
    replies: replies.map((reply, i) => operationReplyOf(reply, (operations[i] as Operation).op)),
  }
}

function operationReplyOf(reply: RawOperationReply, op: Operation['op']): OperationReply {
  if (op === 'range') {
    const [count, more, kvs] = reply as [number, number, RawKeyValue[]]
    return { op, kvs: kvs.map(keyValueOf), count, more: more === 1 }
  }
  if (op === 'put') {
    const [previous] = reply as [RawKeyValue?]
    return previous === undefined ? { op } : { op, previous: keyValueOf(previous) }
  }
  const [deleted, previous] = reply as [number, RawKeyValue[]?]
  return previous === undefined ? { op, deleted } : { op, deleted, previous: previous.map(keyValueOf) }
}
