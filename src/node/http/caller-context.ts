import { AsyncLocalStorage } from 'node:async_hooks'
import type { PrincipalRef } from '../../access/principal.ts'
import { AlthingError } from '../../contracts/errors.ts'
import type {
  CallOptions,
  GrantLeaseRequest,
  LeaseId,
  RangeRequest,
  ReadOptions,
  Store,
  TxnRequest,
  WatchRequest,
} from '../../contracts/store.ts'

/** Who makes the request that is being served. */
export interface HttpCaller {
  readonly principal: PrincipalRef
  readonly store: Store
  /** Fires, with the reason, when the caller may ask for this route no more. */
  readonly revoked: AbortSignal
  /** For an answer that goes on after the route has returned. Returns what lets go; it may be called more than once. */
  hold(): () => void
}

const callers = new AsyncLocalStorage<HttpCaller>()

/** Whatever `work` does, and starts, is done for this caller. */
export function runFor<T>(caller: HttpCaller, work: () => T): T {
  return callers.run(caller, work)
}

/** Throws `internal` outside of a request: nothing is done for nobody. */
export function currentCaller(): HttpCaller {
  const caller = callers.getStore()
  if (caller === undefined)
    throw new AlthingError('internal', 'no request is being served', { outcome: 'none' })
  return caller
}

/**
 * The cluster's store as the caller of the request that is being served may use it. So a route cannot forget to ask whether its caller may do what it
 * does.
 */
export class CurrentCallersStore implements Store {
  readonly capabilities: Store['capabilities']

  constructor(capabilities: Store['capabilities']) {
    this.capabilities = capabilities
  }

  range(request: RangeRequest, options?: ReadOptions) {
    return currentCaller().store.range(request, options)
  }

  txn(request: TxnRequest, options?: ReadOptions) {
    return currentCaller().store.txn(request, options)
  }

  grantLease(request: GrantLeaseRequest, options?: CallOptions) {
    return currentCaller().store.grantLease(request, options)
  }

  keepLeaseAlive(lease: LeaseId, options?: CallOptions) {
    return currentCaller().store.keepLeaseAlive(lease, options)
  }

  revokeLease(lease: LeaseId, options?: CallOptions) {
    return currentCaller().store.revokeLease(lease, options)
  }

  leases(options?: ReadOptions) {
    return currentCaller().store.leases(options)
  }

  compact(revision: number, options?: CallOptions) {
    return currentCaller().store.compact(revision, options)
  }

  watch(request: WatchRequest) {
    return currentCaller().store.watch(request)
  }

  /** The callers' stores are closed by who opened them. */
  async close(): Promise<void> {}
}
