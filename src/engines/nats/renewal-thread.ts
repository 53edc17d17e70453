import type { RenewalThreadData } from '../../contracts/store.ts'
import type { Channel, ThreadEntry, World } from '../../contracts/world.ts'
import { runRenewals } from '../renewal-loop.ts'
import { natsCapabilities } from './nats-capabilities.ts'
import { checkNatsOptions, type NatsStoreOptions } from './nats-options.ts'
import { openNatsLog } from './open-nats-log.ts'
import { SharedLogStore } from './shared-log-store.ts'

/** What the thread is told of its engine. */
export interface NatsRenewalEngine {
  readonly options: NatsStoreOptions
}

/**
 * The thread renews with a connection and a copy of its own: whether a lease is there still, only a copy can tell. So a process that keeps leases holds the store twice. The copy is read when the
 * thread starts, and again when that has failed and a lease is to be renewed.
 */
export function renewLeases(world: World, channel: Channel, data: RenewalThreadData): void {
  const { options } = data.engine as NatsRenewalEngine
  let store: Promise<SharedLogStore> | undefined
  const opened = (): Promise<SharedLogStore> => {
    store ??= openCopy(world, options).catch((error: unknown) => {
      store = undefined
      throw error
    })
    return store
  }
  // Who renews is told of a failure; here it is only tried early.
  opened().catch(() => undefined)
  runRenewals(world, channel, data, {
    keepLeaseAlive: async (lease, call) => (await opened()).keepLeaseAlive(lease, call),
    keepLeasesAlive: async (leases, call) => (await opened()).keepLeasesAlive(leases, call),
  })
}

async function openCopy(world: World, options: NatsStoreOptions): Promise<SharedLogStore> {
  const checked = checkNatsOptions(options)
  const { log, replicas } = await openNatsLog(world, checked)
  const capabilities = natsCapabilities(log.messageBytesMax, { ...checked, replicas })
  // The application's own copy keeps the history within its bounds.
  return await SharedLogStore.open(world, log, { ...options, keepRevisions: 0, keepMs: 0, capabilities })
}

export const renewalEntry: ThreadEntry<RenewalThreadData> = {
  moduleUrl: import.meta.url,
  exportName: 'renewLeases',
  run: renewLeases,
}
