/** How late the event loop of a process runs its timers: the sign of work that blocks it. Milliseconds, since the last {@link LoopDelayMeter.reset}. */
export interface LoopDelay {
  readonly meanMs: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxMs: number
}

/** Measures the delay of the event loop it was made in, in the background. */
export interface LoopDelayMeter {
  read(): LoopDelay
  /** Begins a new period. */
  reset(): void
  /** Idempotent. */
  close(): void
}
