import type { ByteString } from '../base/bytes.ts'
import { AlthingError, invalidArgument } from '../contracts/errors.ts'
import type { CallOptions, Compare, Operation, Store, TxnReply } from '../contracts/store.ts'

/**
 * An exclusive right as the store sees it: the right is held exactly as long as `key` exists with create revision `token`. A token
 * only grows from one holder to the next, so a resource outside the store refuses whatever is smaller than the largest it has seen.
 */
export interface Fence {
  readonly key: ByteString
  readonly token: number
}

/** A transaction with this comparison is refused by the store itself once the right has ended. */
export function fenceCompare(fence: Fence): Compare {
  return { target: 'createRevision', key: fence.key, op: '=', value: fence.token }
}

/** A transaction under a fence. `else` is taken only by who still holds the right, and may only read. */
export interface FencedTxnRequest {
  readonly compare?: readonly Compare[]
  readonly then?: readonly Operation[]
  readonly else?: readonly Extract<Operation, { op: 'range' }>[]
}

/**
 * Applies `request` if the right is held, by the store's own order. Rejects with `stale-token` (nothing changed) when it is not; a
 * comparison of the request's own that fails is no error: `succeeded` is false.
 */
export async function fencedTxn(
  store: Store,
  fence: Fence,
  request: FencedTxnRequest,
  options?: CallOptions,
): Promise<TxnReply> {
  if (request.else?.some((operation) => operation.op !== 'range') === true) {
    throw invalidArgument('else', request.else, 'reads only in a fenced transaction')
  }
  const reply = await store.txn(
    {
      compare: [fenceCompare(fence), ...(request.compare ?? [])],
      then: request.then ?? [],
      else: [{ op: 'range', key: fence.key, keysOnly: true }, ...(request.else ?? [])],
    },
    options,
  )
  if (reply.succeeded) return reply
  const [own, ...replies] = reply.replies
  const isHeld = own?.op === 'range' && own.kvs[0]?.createRevision === fence.token
  if (!isHeld) throw staleToken(fence)
  return { ...reply, replies }
}

export function staleToken(fence: Fence): AlthingError {
  return new AlthingError(
    'stale-token',
    `the right with token ${fence.token} (${fence.key}) has ended: the store refused the transaction, nothing was changed`,
    { outcome: 'none', details: { token: fence.token, key: fence.key } },
  )
}
