import { invalidArgument } from '../../contracts/errors.ts'
import { FixedTimeoutDetector, type FixedTimeoutOptions } from './fixed-timeout.ts'
import { PhiAccrualDetector, type PhiAccrualOptions } from './phi-accrual.ts'

/**
 * Judges one process by the heartbeats that come from it. Complete: one that has stopped is suspected for ever from some time on. Accurate in the end: one whose heartbeats come
 * within bounded time is suspected no more. It tells of silence, not of death: one that is suspected may come back at any moment.
 */
export interface FailureDetector {
  /** One has come. `nowMs`, monotonic, never goes back. */
  heartbeat(nowMs: number): void
  /** How much the silence speaks against the process: 0 nothing; it only grows until the next heartbeat. From {@link threshold} on the process is suspected. */
  suspicion(nowMs: number): number
  readonly threshold: number
  /** Before the first heartbeat nothing is known, and nothing suspected. */
  isSuspected(nowMs: number): boolean
}

export type FailureDetectorOptions =
  | ({ readonly kind: 'fixed' } & Partial<FixedTimeoutOptions>)
  | ({ readonly kind: 'phi-accrual' } & Partial<PhiAccrualOptions>)

/** By its kind. Throws `invalid-argument`. */
export function createFailureDetector(options: FailureDetectorOptions): FailureDetector {
  switch (options.kind) {
    case 'fixed':
      return new FixedTimeoutDetector(options)
    case 'phi-accrual':
      return new PhiAccrualDetector(options)
    default:
      throw invalidArgument('kind', (options as { kind: unknown }).kind, `'fixed' or 'phi-accrual'`)
  }
}
