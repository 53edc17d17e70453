import { type ByteString, byteStringFromBytes } from '../../base/bytes.ts'
import type { Compare, KeyValue, Operation, OperationReply, TxnReply } from '../../contracts/store.ts'
import type { TxnMutation } from '../../models/store/txn.ts'
import type { StoreMutation } from '../../models/store/types.ts'
import { boundsOf, bufferOf } from './key-bounds.ts'

/** On its way to the server: the JSON of a command, or a transaction of one put as it is. Either is the caller's of this moment: what happens to its buffers afterwards does not matter. */
export type Command = string | { readonly key: Buffer; readonly value: Buffer }

type CommandMutation = Exclude<StoreMutation, { type: 'compact' | 'closeSession' }>

export function commandOf(mutation: CommandMutation): Command {
  const put = mutation.type === 'txn' ? lonePut(mutation) : undefined
  return put === undefined
    ? encodeCommand(mutation)
    : { key: bufferOf(put.key), value: Buffer.from(put.value) }
}

/** What it takes in a statement, in whichever form. */
export function sizeOf(command: Command): number {
  return typeof command === 'string' ? command.length : 2 * (command.key.length + command.value.length) + 128
}

export function jsonOf(command: Command): string {
  if (typeof command === 'string') return command
  const { key, value } = command
  const from = key.toString('hex')
  return `{"type":"txn","compare":[],"then":[{"op":"put","from":"${from}","value":"${value.toString('hex')}"}],"else":[]}`
}

/** Without anything that could be refused, and without anything to tell but the revision. */
function lonePut({ compare, then, else: otherwise }: TxnMutation): PutOperation | undefined {
  const [only] = then
  if (only?.op !== 'put' || then.length > 1 || compare.length > 0 || otherwise.length > 0) return undefined
  return (only.lease === undefined || only.lease === 0) && only.previous !== true ? only : undefined
}

type PutOperation = Extract<Operation, { op: 'put' }>

/** The form in which other commands go to the server (`sql/applying.ts`): JSON, byte strings as hexadecimal text. */
function encodeCommand(mutation: CommandMutation): string {
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
