/** Counters that replicas change without asking each other, and that agree once they have talked. Pure. */
export { GrowOnlyCounter } from './grow-only-counter.ts'
export { PositiveNegativeCounter } from './positive-negative-counter.ts'
