/** The simulated system, or the harness around it, failed. The message carries the seed that replays it. */
export class SimulationError extends Error {
  override readonly name = 'SimulationError'
  readonly seed: number
  /** Virtual time of the failure. */
  readonly timeMs: number

  constructor(message: string, seed: number, timeMs: number, cause: unknown) {
    const because =
      cause === undefined ? '' : `: ${cause instanceof Error ? (cause.stack ?? cause.message) : cause}`
    super(`${message} (seed ${seed}, at ${timeMs} ms)${because}`, cause === undefined ? undefined : { cause })
    this.seed = seed
    this.timeMs = timeMs
  }
}
