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

/**
 * What a hold shows to a resource outside the store (`guards/`), so that it can tell a former holder from the present ones. A fence will do where
 * one at a time holds the right. `kind` `'shared'`: a read hold, one of many. `'member'`: a permit of a semaphore; the tokens in `live` are those that
 * held at revision `asOf`, and the only ones that the resource has to admit as far as that revision tells.
 */
export type FenceStamp =
  | { readonly token: number; readonly kind?: undefined }
  | { readonly token: number; readonly kind: 'shared' }
  | {
      readonly token: number
      readonly kind: 'member'
      readonly asOf: number
      readonly live: readonly number[]
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
 * Applies `request` if the right is held (all of them, where several are given), by the store's own order. Rejects with `stale-token` (nothing changed) when it
 * is not; a comparison of the request's own that fails is no error: `succeeded` is false.
 */
export async function fencedTxn(
  store: Store,
  fence: Fence | readonly Fence[],
  request: FencedTxnRequest,
  options?: CallOptions,
): Promise<TxnReply> {
  if (request.else?.some((operation) => operation.op !== 'range') === true) {
    throw invalidArgument('else', request.else, 'reads only in a fenced transaction')
  }
  const fences: readonly Fence[] = 'key' in fence ? [fence] : fence
  if (fences.length === 0) throw invalidArgument('fence', fence, 'at least one fence')
  const reply = await store.txn(
    {
      compare: [...fences.map(fenceCompare), ...(request.compare ?? [])],
      then: request.then ?? [],
      else: [
        ...fences.map(({ key }) => ({ op: 'range', key, keysOnly: true }) as const),
        ...(request.else ?? []),
      ],
    },
    options,
  )
  if (reply.succeeded) return reply
  for (const [i, each] of fences.entries()) {
    const own = reply.replies[i]
    const isHeld = own?.op === 'range' && own.kvs[0]?.createRevision === each.token
    if (!isHeld) throw staleToken(each)
  }
  return { ...reply, replies: reply.replies.slice(fences.length) }
}

export function staleToken(fence: Fence): AlthingError {
  return new AlthingError(
    'stale-token',
    `the right with token ${fence.token} (${fence.key}) has ended: the store refused the transaction, nothing was changed`,
    { outcome: 'none', details: { token: fence.token, key: fence.key } },
  )
}
