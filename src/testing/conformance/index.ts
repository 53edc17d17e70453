/** The conformance suite of the store contract, for engines of Althing and of others. See `docs/blocks/conformance.md`. */
export type {
  ConformanceAbility,
  ConformanceBed,
  ConformanceOptions,
} from './bed.ts'
export {
  concurrentRun,
  type ConcurrentRunOptions,
  type ConcurrentRunResult,
  type JudgedHistory,
} from './concurrent-run.ts'
export type { ConformanceCase, ConformanceClaim } from './conformance-case.ts'
export type { DrawnCommand } from './differential/command.ts'
export {
  type DifferentialOptions,
  type DifferentialResult,
  differentialRun,
} from './differential/differential-run.ts'
export type { Difference } from './differential/play.ts'
export { type ConformanceReport, type ConformanceResult, runConformance } from './run-conformance.ts'
export { storeConformance } from './store-conformance.ts'
