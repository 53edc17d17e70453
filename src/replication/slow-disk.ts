import type { Logger, Timer, Timers } from '../contracts/world.ts'

export interface SlowDiskOptions {
  readonly electionTimeoutMs: number
  readonly timers: Timers
  readonly logger: Logger
  nowMs(): number
  /** How long the write under way has been so; 0 for none. */
  writingForMs(nowMs: number): number
  hasLeader(): boolean
  /** The answer to {@link SlowDisk.isSlow} is another one. */
  changed(): void
}

/** Election timeouts for which all writes must have been fast, before the disk counts as fast again. */
const fastTimeouts = 10
/** Election timeouts without a leader after which a slow one is better than none. */
const leaderlessTimeouts = 3

/**
 * Whether this node's disk is too slow to lead with. It is, once a write has taken longer than an election timeout: the group then waits for a leader that answers heartbeats
 * and cannot bring its own entries to its disk. Where all disks are slow somebody has to lead all the same: after a while without a leader the disk passes for fast.
 */
export class SlowDisk {
  readonly #options: SlowDiskOptions
  #isSlow = false
  #slowMs = 0
  #leaderMs = 0
  #lenientUntilMs = Number.NEGATIVE_INFINITY
  #timer: Timer | undefined
  #isClosed = false

  constructor(options: SlowDiskOptions) {
    this.#options = options
  }

  get isSlow(): boolean {
    return this.#isSlow
  }

  /** A write has ended. */
  wrote(tookMs: number): void {
    if (tookMs > this.#options.electionTimeoutMs) this.#sawSlowWrite(this.#options.nowMs(), tookMs)
  }

  /** Looks at the write under way. Called now and then. */
  check(): void {
    const nowMs = this.#options.nowMs()
    const forMs = this.#options.writingForMs(nowMs)
    if (forMs > this.#options.electionTimeoutMs) this.#sawSlowWrite(nowMs, forMs)
    else if (this.#isSlow) this.#reconsider(nowMs)
  }

  close(): void {
    this.#isClosed = true
    this.#timer?.cancel()
  }

  #sawSlowWrite(nowMs: number, forMs: number): void {
    this.#slowMs = nowMs
    if (this.#isSlow) this.#reconsider(nowMs)
    if (this.#isSlow || nowMs < this.#lenientUntilMs || this.#isClosed) return
    this.#options.logger.log('warn', 'the disk is slow: this node does not lead until it is fast again', {
      writeMs: Math.round(forMs),
    })
    this.#isSlow = true
    this.#leaderMs = nowMs
    this.#arm()
    this.#options.changed()
  }

  #reconsider(nowMs: number): void {
    const { electionTimeoutMs, logger } = this.#options
    if (this.#options.hasLeader()) this.#leaderMs = nowMs
    const isFast = nowMs - this.#slowMs >= fastTimeouts * electionTimeoutMs
    const isLeaderless = nowMs - this.#leaderMs >= leaderlessTimeouts * electionTimeoutMs
    if (!isFast && !isLeaderless) return
    if (!isFast) this.#lenientUntilMs = nowMs + fastTimeouts * electionTimeoutMs
    logger.log('info', isFast ? 'the disk is fast again' : 'nobody leads: this node may, with its slow disk')
    this.#isSlow = false
    this.#timer?.cancel()
    this.#options.changed()
  }

  /** The machine has nothing to do while it may not campaign, so the clock for that is here. */
  #arm(): void {
    this.#timer = this.#options.timers.after(this.#options.electionTimeoutMs, () => {
      this.check()
      if (this.#isSlow && !this.#isClosed) this.#arm()
    })
  }
}
