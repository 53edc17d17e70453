import type { World } from '../../contracts/world.ts'
import { natsCapabilities } from './nats-capabilities.ts'
import { checkNatsOptions, type NatsStoreOptions } from './nats-options.ts'
import { openNatsLog } from './open-nats-log.ts'
import { type NatsRenewalEngine, renewalEntry } from './renewal-thread.ts'
import { SharedLogStore } from './shared-log-store.ts'

export type { NatsStoreOptions }
/** A store on NATS; see `docs/engines/nats.md`. */
export type NatsStore = SharedLogStore

/**
 * Opens a store on NATS JetStream, 2.9 or later: makes its streams where they are missing, and reads them into this process. Rejects with `invalid-argument`, `not-found` (a package that is not
 * installed, a stream that may not be made), `unavailable`, `unauthenticated`, `permission-denied`, `no-space`, `corrupt`, and `incompatible-peer` for servers or streams that cannot carry a
 * store.
 */
export async function openNatsStore(world: World, options: NatsStoreOptions): Promise<NatsStore> {
  const checked = checkNatsOptions(options)
  const { log, replicas, ownsConnection } = await openNatsLog(world, checked)
  const engine: NatsRenewalEngine = { options: { ...options, create: false } }
  return await SharedLogStore.open(world, log, {
    ...options,
    timeoutMs: checked.timeoutMs,
    capabilities: natsCapabilities(log.messageBytesMax, { ...checked, replicas }),
    ...(ownsConnection && isCloneable(engine) ? { renewal: { entry: renewalEntry, engine } } : {}),
  })
}

/** Options with functions in them (an authenticator) cannot go to a thread. */
function isCloneable(engine: NatsRenewalEngine): boolean {
  try {
    structuredClone(engine)
    return true
  } catch {
    return false
  }
}
