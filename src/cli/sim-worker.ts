import { simulateStore } from '../testing/store-simulation/simulate-store.ts'
import type { StoreSimulationOptions } from '../testing/store-simulation/configuration.ts'
import { NodeClock } from '../world/clock.ts'

/** A process that runs the seeds it is sent, one at a time, and sends back what became of each. Ends with its parent. */
process.on('message', (options: StoreSimulationOptions) => {
  void simulateStore(options, { clock: new NodeClock() }).then(
    (report) => process.send?.({ report }),
    (error: unknown) =>
      process.send?.({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
  )
})
process.on('disconnect', () => process.exit())
