import type { RenewalThreadData } from '../../contracts/store.ts'
import type { Channel, ThreadEntry, World } from '../../contracts/world.ts'
import { LoopWatch } from '../../protocols/lease/loop-watch.ts'
import type { RenewalNotice, RenewalRequest } from '../../protocols/lease/renewal-messages.ts'
import { type LeaseStore, RenewalRunner } from '../../protocols/lease/renewal-runner.ts'
import { defaultTimeoutMs } from '../local/deadline.ts'
import { SharedSlots } from '../../protocols/lease/shared-slots.ts'
import { callCluster } from './call.ts'
import { EndpointPool } from './endpoint-pool.ts'
import { decodeRenewals, type Hello, methods } from './protocol.ts'

/** What the thread is told of its engine: `RenewalSource.engine` of the cluster. */
export interface RenewalEngine {
  readonly endpoints: readonly string[]
  readonly clusterId?: string
  readonly greeting?: Pick<Hello, 'group' | 'credentials'>
}

const aliveIntervalMs = 250

/**
 * The thread that renews leases with connections of its own, whatever the application's loop does. It says through the shared
 * memory that its own loop runs, so that the application can tell a blocked loop from a stopped process.
 */
export function renewLeases(world: World, channel: Channel, data: RenewalThreadData): void {
  const slots = new SharedSlots(data.shared)
  const runner = new RenewalRunner({
    store: connectLeaseStore(world, data.engine as RenewalEngine),
    world,
    slots,
    maxStallMs: data.maxStallMs,
    notify: (notice: RenewalNotice) => channel.post(notice),
  })
  const watch = new LoopWatch(world, {
    intervalMs: aliveIntervalMs,
    onTick: (nowMs) => {
      slots.threadAliveMs = nowMs
    },
    onStall: (stall) => {
      slots.threadStall = stall
    },
  })
  watch.start()
  channel.onMessage((message) => runner.request(message as RenewalRequest))
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
