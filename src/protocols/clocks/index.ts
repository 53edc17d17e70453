/** Logical clocks: order without trust in wall clocks. Pure; wall time, where it is used, is an argument. */
export { type Departure, Departures } from './departures.ts'
export {
  formatHybrid,
  HybridClock,
  hybridClockDefaults,
  type HybridClockOptions,
  type HybridClockSkew,
  hybridCounter,
  type HybridTimestamp,
  hybridWallMs,
  parseHybrid,
} from './hybrid-clock.ts'
export { compareLamport, LamportClock, lamportTimeMax, type LamportTimestamp } from './lamport-clock.ts'
export { type Causality, VectorClock } from './vector-clock.ts'
