export {
  drawConfiguration,
  type StoreConfiguration,
  type StoreSimulationOptions,
} from './configuration.ts'
export { healingLimits } from './healing.ts'
export { type RunHooks, type SeedReport, simulateStore } from './simulate-store.ts'
export { Sweep, type SweepSummary } from './sweep.ts'
export { formatTrace, type TraceEvent, traceOf } from './trace.ts'
