import type { RenewalThreadData } from '../../contracts/store.ts'
import type { Channel, ThreadEntry, World } from '../../contracts/world.ts'
import { LoopWatch } from '../../protocols/lease/loop-watch.ts'
import type { RenewalNotice, RenewalRequest } from '../../protocols/lease/renewal-messages.ts'
import { RenewalRunner } from '../../protocols/lease/renewal-runner.ts'
import { SharedSlots } from '../../protocols/lease/shared-slots.ts'
import { Connections } from './connections.ts'
import { LeaseCalls } from './lease-calls.ts'
import { loadPostgresLibrary, type PostgresConfig } from './library.ts'
import type { Place } from './place.ts'

/** What the thread is told of its engine. */
export interface RenewalEngine {
  readonly config: PostgresConfig
  readonly place: Place
  readonly timeoutMs: number
  readonly usesNames: boolean
}

const aliveIntervalMs = 250
/** Renewals that are due together go out together: more than two at a time is for those that hang. */
const connectionsMax = 3

/** The thread that renews leases with connections of its own, whatever the application's loop does. */
export async function renewLeases(world: World, channel: Channel, data: RenewalThreadData): Promise<void> {
  const { config, place, timeoutMs, usesNames } = data.engine as RenewalEngine
  const library = await loadPostgresLibrary()
  const pool = new library.Pool({ ...config, max: connectionsMax })
  // A connection that breaks while it is idle is no failure of anything.
  pool.on('error', () => {})
  const calls = new LeaseCalls(new Connections(world, pool, { usesNames }), place)
  const slots = new SharedSlots(data.shared)
  const runner = new RenewalRunner({
    store: {
      keepLeaseAlive: (lease, options) => calls.keepLeaseAlive(lease, options, options.timeoutMs ?? timeoutMs),
      keepLeasesAlive: (leases, options) => calls.keepLeasesAlive(leases, options, options.timeoutMs ?? timeoutMs),
    },
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

export const renewalEntry: ThreadEntry<RenewalThreadData> = {
  moduleUrl: import.meta.url,
  exportName: 'renewLeases',
  run: renewLeases,
}
