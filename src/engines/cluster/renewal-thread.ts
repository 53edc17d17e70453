import type { RenewalThreadData } from '../../contracts/store.ts'
import type { Channel, ThreadEntry, World } from '../../contracts/world.ts'
import { LoopWatch } from '../../protocols/lease/loop-watch.ts'
import type { RenewalNotice, RenewalRequest } from '../../protocols/lease/renewal-messages.ts'
import { RenewalRunner } from '../../protocols/lease/renewal-runner.ts'
import { SharedSlots } from '../../protocols/lease/shared-slots.ts'
import { ClusterStore, type ClusterStoreOptions } from './cluster-store.ts'

const aliveIntervalMs = 250

/**
 * The thread that renews leases with a client of the cluster of its own, whatever the application's loop does. It says through the shared
 * memory that its own loop runs, so that the application can tell a blocked loop from a stopped process.
 */
export function renewLeases(world: World, channel: Channel, data: RenewalThreadData): void {
  const slots = new SharedSlots(data.shared)
  const runner = new RenewalRunner({
    store: new ClusterStore(world, data.engine as ClusterStoreOptions),
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
