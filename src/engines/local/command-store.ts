import { invalidArgument } from '../../contracts/errors.ts'
import type {
  CallOptions,
  GrantLeaseRequest,
  LeaseGrant,
  LeaseId,
  ReadOptions,
  TxnReply,
  TxnRequest,
} from '../../contracts/store.ts'
import { isReadOnly, type TxnMutation } from '../../models/store/txn.ts'
import type { StoreMutation, StoreReply } from '../../models/store/types.ts'
import { validateMutation } from '../../models/store/validate.ts'
import { unwrapReply } from './store-host.ts'

/** The mutating half of a store, said as commands of the store model. How a command gets into the log is the engine's. */
export abstract class CommandStore {
  /** Validates the command, has it applied, and returns the model's reply. */
  protected abstract mutate(mutation: StoreMutation, options: CallOptions): Promise<StoreReply>

  /** A transaction that only reads, from the node's own copy. */
  protected abstract readSerializable(txn: TxnMutation, options: CallOptions): Promise<TxnReply>

  async txn(request: TxnRequest, options: ReadOptions = {}): Promise<TxnReply> {
    const { compare = [], then = [], else: otherwise = [] } = request
    const txn = { type: 'txn', compare, then, else: otherwise } as const
    if (options.consistency === 'serializable') {
      validateMutation(txn)
      if (!isReadOnly(txn))
        throw invalidArgument(
          'consistency',
          options.consistency,
          `'linearizable' for a transaction that writes`,
        )
      return this.readSerializable(txn, options)
    }
    return unwrapReply(await this.mutate(txn, options), 'txn').reply
  }

  async grantLease({ ttlMs }: GrantLeaseRequest, options: CallOptions = {}): Promise<LeaseGrant> {
    const reply = unwrapReply(await this.mutate({ type: 'grantLease', ttlMs }, options), 'grantLease')
    return { lease: reply.lease, ttlMs: reply.ttlMs }
  }

  async revokeLease(lease: LeaseId, options: CallOptions = {}): Promise<{ readonly revision: number }> {
    const reply = unwrapReply(await this.mutate({ type: 'revokeLease', lease }, options), 'revokeLease')
    return { revision: reply.revision }
  }

  async compact(revision: number, options: CallOptions = {}): Promise<{ readonly compactRevision: number }> {
    const reply = unwrapReply(await this.mutate({ type: 'compact', revision }, options), 'compact')
    return { compactRevision: reply.compactRevision }
  }
}
