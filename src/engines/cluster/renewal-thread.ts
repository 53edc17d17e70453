import type { RenewalThreadData } from '../../contracts/store.ts'
import type { Channel, ThreadEntry, World } from '../../contracts/world.ts'
import type { LeaseStore } from '../../protocols/lease/renewal-runner.ts'
import { defaultTimeoutMs } from '../local/deadline.ts'
import { runRenewals } from '../renewal-loop.ts'
import { callCluster } from './call.ts'
import { EndpointPool } from './endpoint-pool.ts'
import { decodeRenewals, type Hello, methods } from './protocol.ts'

/** What the thread is told of its engine: `RenewalSource.engine` of the cluster. */
export interface RenewalEngine {
  readonly endpoints: readonly string[]
  readonly clusterId?: string
  readonly greeting?: Pick<Hello, 'group' | 'credentials'>
}

/** With connections of its own; see {@link runRenewals}. */
export function renewLeases(world: World, channel: Channel, data: RenewalThreadData): void {
  runRenewals(world, channel, data, connectLeaseStore(world, data.engine as RenewalEngine))
}

/** Renewals only: they need no session, and may be repeated at another node. */
export function connectLeaseStore(
  world: World,
  { endpoints, clusterId = '', greeting = {} }: RenewalEngine,
): LeaseStore {
  const pool = new EndpointPool({ world, endpoints, clusterId, greeting })
  return {
    keepLeaseAlive: (lease, options) =>
      callCluster<void>(world, pool, {
        method: methods.keepLeaseAlive,
        body: lease,
        isMutation: false,
        decode: () => {},
        options,
        timeoutMs: options.timeoutMs ?? defaultTimeoutMs,
      }),
    keepLeasesAlive: (leases, options) =>
      callCluster(world, pool, {
        method: methods.keepLeaseAlive,
        body: leases,
        isMutation: false,
        decode: decodeRenewals,
        options,
        timeoutMs: options.timeoutMs ?? defaultTimeoutMs,
      }),
  }
}

export const renewalEntry: ThreadEntry<RenewalThreadData> = {
  moduleUrl: import.meta.url,
  exportName: 'renewLeases',
  run: renewLeases,
}
