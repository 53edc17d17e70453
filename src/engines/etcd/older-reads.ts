import { type AlthingError, isAlthingError, withOutcome } from '../../contracts/errors.ts'
import type { CallOptions, Operation, TxnReply } from '../../contracts/store.ts'
import { isReadOnly, type TxnMutation } from '../../models/store/txn.ts'
import { type EtcdCalls, unary } from './calls.ts'
import { etcdRangeRequest } from './key-ranges.ts'
import { type EtcdOperationResponse, type EtcdTxnResponse, methods } from './messages.ts'
import type { RangeReader } from './range-reader.ts'
import { revisionOf, txnReplyOf } from './txn-plan.ts'

/** A branch as it is sent, with what was found before for what is not. */
interface Branch {
  readonly sent: readonly Operation[]
  /** By the place of the operation. */
  readonly found: ReadonlyMap<number, EtcdOperationResponse>
  /** The branch fails, at this operation. */
  readonly refusal?: { readonly revision: number; readonly error: AlthingError }
}

/**
 * Whether the transaction writes, and reads at a revision that it states. etcd must never be sent such a one: where that revision cannot be read, the member that was asked refuses it, while
 * the others, which leave its reads out, carry it out; from then on the members do not hold the same any more (https://github.com/etcd-io/etcd/issues/18667, in all releases).
 */
export function writesAndReadsOlder(txn: TxnMutation): boolean {
  return !isReadOnly(txn) && [...txn.then, ...txn.else].some(statesRevision)
}

/**
 * Carries out such a transaction: what it reads at revisions is read before, for what was does not change, and the rest is sent. A branch in which something
 * cannot be read is sent as an empty one, so that it is the comparisons that decide whether the transaction is refused.
 */
export class OlderReads {
  readonly #calls: EtcdCalls
  readonly #reader: RangeReader

  constructor(calls: EtcdCalls, reader: RangeReader) {
    this.#calls = calls
    this.#reader = reader
  }

  /** `remaining` gives the options of each call, which share the time of one. */
  async txn(
    txn: TxnMutation,
    remaining: () => CallOptions,
    send: (plain: TxnMutation) => Promise<EtcdTxnResponse>,
  ): Promise<TxnReply> {
    for (;;) {
      const [then, otherwise] = await this.#before(txn, remaining)
      const response = await send({ ...txn, then: then.sent, else: otherwise.sent })
      const { refusal, sent, found } = response.succeeded ? then : otherwise
      if (refusal === undefined) {
        return txnReplyOf(txn, { ...response, responses: merged(response.responses, sent.length, found) })
      }
      // What was still to come when it was looked for, and is there by now, has to be looked for again.
      const isThere = refusal.error.code === 'future-revision' && revisionOf(response) >= refusal.revision
      if (!isThere) throw withOutcome(refusal.error, 'none')
    }
  }

  async #before(
    txn: TxnMutation,
    remaining: () => CallOptions,
  ): Promise<readonly [then: Branch, otherwise: Branch]> {
    try {
      return [await this.#branch(txn.then, remaining), await this.#branch(txn.else, remaining)]
    } catch (error) {
      throw isAlthingError(error) ? withOutcome(error, 'none') : error
    }
  }

  async #branch(operations: readonly Operation[], remaining: () => CallOptions): Promise<Branch> {
    const found = new Map<number, EtcdOperationResponse>()
    for (const [place, operation] of operations.entries()) {
      if (!statesRevision(operation)) continue
      const { revision } = operation
      try {
        const attempt = unary(methods.range, etcdRangeRequest(operation, false))
        const range = await this.#calls.make({ repetition: 'read', options: remaining(), attempt })
        found.set(place, { range } as EtcdOperationResponse)
      } catch (error) {
        if (!isAlthingError(error, 'compacted') && !isAlthingError(error, 'future-revision')) throw error
        const explained = await this.#reader.explained(error, revision, remaining())
        return { sent: [], found, refusal: { revision, error: explained as AlthingError } }
      }
    }
    return { sent: operations.filter((operation) => !statesRevision(operation)), found }
  }
}

type OlderRead = Operation & { readonly op: 'range'; readonly revision: number }

function statesRevision(operation: Operation): operation is OlderRead {
  return operation.op === 'range' && operation.revision !== undefined && operation.revision !== 0
}

/** The answers of a branch in its order; `count` of them were sent for. */
function merged(
  answers: readonly EtcdOperationResponse[],
  count: number,
  found: ReadonlyMap<number, EtcdOperationResponse>,
): EtcdOperationResponse[] {
  const left = answers.slice(0, count)
  return Array.from(
    { length: left.length + found.size },
    (_, place) => found.get(place) ?? (left.shift() as EtcdOperationResponse),
  )
}
