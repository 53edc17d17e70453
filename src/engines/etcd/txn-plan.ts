import { AlthingError } from '../../contracts/errors.ts'
import {
  type Compare,
  type Operation,
  type OperationReply,
  storeLimits,
  type TxnReply,
} from '../../contracts/store.ts'
import type { ReplyBudget } from '../../models/store/key-space.ts'
import { isReadOnly, type TxnMutation } from '../../models/store/txn.ts'
import { etcdRange, etcdRangeRequest, rangeReplyOf } from './key-ranges.ts'
import {
  compareResult,
  compareTarget,
  type EtcdCompare,
  type EtcdOperation,
  type EtcdOperationResponse,
  type EtcdTxnRequest,
  type EtcdTxnResponse,
} from './messages.ts'

/** A read of nothing. */
const emptyRead = { range: { ...etcdRange({ key: '' }), countOnly: true } } as const

/**
 * A transaction in etcd's terms. Two things are not the same there:
 *
 * - etcd refuses to keep the lease of a key that does not exist; here such a key gets none. A put that keeps is a transaction in the transaction, which looks;
 * - a transaction of comparisons alone is answered by etcd from the member's own copy, linearizable or not. A read that finds nothing makes it go through the quorum.
 */
export function etcdTxnRequest(txn: TxnMutation, isSerializable: boolean): EtcdTxnRequest {
  const operations = (list: readonly Operation[]): readonly EtcdOperation[] =>
    list.map((operation) => etcdOperation(operation, isSerializable))
  return {
    compare: txn.compare.map(etcdCompare),
    success: needsQuorumRead(txn, isSerializable) ? [emptyRead] : operations(txn.then),
    failure: operations(txn.else),
  }
}

/** Throws `internal` when the answer is not one to this transaction. */
export function txnReplyOf(txn: TxnMutation, response: EtcdTxnResponse): TxnReply {
  const { succeeded, responses } = response
  const branch = succeeded ? txn.then : txn.else
  const isPadded = succeeded && needsQuorumRead(txn, false) && responses.length === 1
  if (responses.length !== branch.length && !isPadded) throw unexpected(`${responses.length} answers`)
  const budget: ReplyBudget = { bytes: storeLimits.rangeReplyBytesMax }
  return {
    revision: revisionOf(response),
    succeeded,
    replies: branch.map((operation, i) => replyOf(operation, responses[i], budget)),
  }
}

export function revisionOf(response: { readonly header: { readonly revision: number } | undefined }): number {
  const revision = response.header?.revision ?? 0
  if (revision < 1 || !Number.isSafeInteger(revision)) throw unexpected(`revision ${revision}`)
  return revision
}

function needsQuorumRead(txn: TxnMutation, isSerializable: boolean): boolean {
  return !isSerializable && isReadOnly(txn) && txn.then.length === 0 && txn.else.length === 0
}

function etcdCompare(compare: Compare): EtcdCompare {
  // Of an empty key, which etcd does not take, the range of none: compared as a missing key.
  const { key, rangeEnd } = etcdRange({ key: compare.key })
  return {
    result: compareResult[compare.op],
    target: compareTarget[compare.target],
    key,
    ...(rangeEnd === '' ? {} : { rangeEnd }),
    [compare.target]: compare.value,
  }
}

function etcdOperation(operation: Operation, isSerializable: boolean): EtcdOperation {
  if (operation.op === 'range') return { range: etcdRangeRequest(operation, isSerializable) }
  const prevKv = operation.previous === true ? { prevKv: true } : {}
  if (operation.op === 'delete') return { delete: { ...etcdRange(operation), ...prevKv } }
  const { key, value, lease = 0 } = operation
  const put = { key, value, ...prevKv }
  if (lease !== 'keep') return { put: lease === 0 ? put : { ...put, lease } }
  return {
    txn: {
      compare: [{ result: compareResult['>'], target: compareTarget.version, key, version: 0 }],
      success: [{ put: { ...put, ignoreLease: true } }],
      failure: [{ put }],
    },
  }
}

function replyOf(
  operation: Operation,
  response: EtcdOperationResponse | undefined,
  budget: ReplyBudget,
): OperationReply {
  if (operation.op === 'range') {
    const { range } = response ?? {}
    if (range === undefined) throw unexpected('no range')
    return { op: 'range', ...rangeReplyOf(range, budget) }
  }
  if (operation.op === 'delete') {
    const found = response?.delete
    if (found === undefined) throw unexpected('no deletion')
    const { deleted, prevKvs } = found
    return operation.previous === true
      ? { op: 'delete', deleted, previous: prevKvs }
      : { op: 'delete', deleted }
  }
  const put = response?.put ?? response?.txn?.responses[0]?.put
  if (put === undefined) throw unexpected('no put')
  return operation.previous === true && put.prevKv !== undefined
    ? { op: 'put', previous: put.prevKv }
    : { op: 'put' }
}

function unexpected(what: string): AlthingError {
  return new AlthingError('internal', `etcd's answer to a transaction has ${what}, which was not asked for`, {
    outcome: 'unknown',
  })
}
