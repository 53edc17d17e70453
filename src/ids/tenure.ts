import type { CallOptions } from '../contracts/store.ts'
import type { IdWindow } from '../protocols/snowflake/sequence.ts'

/** The right to a worker id, for stretches of id time that no other holder has or will have. */
export interface Tenure {
  readonly worker: number
  readonly token: number
  /** What the tenure began with. */
  readonly window: IdWindow
  /** Computed from the clock at each reading. False once, false for ever. */
  readonly isHeld: boolean
  readonly lost: AbortSignal
  /** Resolves when all id times below `until` belong to this holder. Rejects with `stale-token` when they belong to another. */
  extend(until: number, options?: CallOptions): Promise<void>
  /** Nothing at or after `usedUntil` was given: the next holder may begin there. Idempotent. */
  release(usedUntil: number): Promise<void>
}

/** Where tenures come from. */
export interface TenureSource {
  /** A tenure whose window begins at `now` or later, and after `after`. `now` may lie up to `lateMs` before the window. */
  claim(request: TenureRequest, options?: CallOptions): Promise<Tenure>
  close(): Promise<void>
}

export interface TenureRequest {
  /** Id time of the clock. */
  readonly now: number
  /** The last id time this generator has used: the window begins after it. */
  readonly after: number
  /** How much id time to reserve. */
  readonly reserveMs: number
  /** How far in the future the window may begin. */
  readonly lateMs: number
}
