import type {
  CallOptions,
  GrantLeaseRequest,
  LeaseGrant,
  LeaseId,
  TxnReply,
  TxnRequest,
} from '../../contracts/store.ts'
import type { StoreMutation, StoreReply } from '../../models/store/types.ts'
import { unwrapReply } from './store-host.ts'

/** The mutating half of a store, said as commands of the store model. How a command gets into the log is the engine's. */
export abstract class CommandStore {
  /** Validates the command, has it applied, and returns the model's reply. */
  protected abstract mutate(mutation: StoreMutation, options: CallOptions): Promise<StoreReply>

  async txn(request: TxnRequest, options: CallOptions = {}): Promise<TxnReply> {
    const { compare = [], then = [], else: otherwise = [] } = request
    const reply = await this.mutate({ type: 'txn', compare, then, else: otherwise }, options)
    return unwrapReply(reply, 'txn').reply
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
