import type { RenewalThreadData } from '../contracts/store.ts'
import type { Channel, World } from '../contracts/world.ts'
import { LoopWatch } from '../protocols/lease/loop-watch.ts'
import type { RenewalNotice, RenewalRequest } from '../protocols/lease/renewal-messages.ts'
import { type LeaseStore, RenewalRunner } from '../protocols/lease/renewal-runner.ts'
import { SharedSlots } from '../protocols/lease/shared-slots.ts'

const aliveIntervalMs = 250

/**
 * What the thread of any engine does: it renews leases with connections of its own, whatever the application's loop does, and says through the shared memory that
 * its own loop runs, so that the application can tell a blocked loop from a stopped process.
 */
export function runRenewals(
  world: World,
  channel: Channel,
  data: RenewalThreadData,
  store: LeaseStore,
): void {
  const slots = new SharedSlots(data.shared)
  const runner = new RenewalRunner({
    store,
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
