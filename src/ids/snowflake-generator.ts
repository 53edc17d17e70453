import { createDeferred, type Deferred } from '../base/deferred.ts'
import { AlthingError, invalidArgument, isAlthingError } from '../contracts/errors.ts'
import type { CallOptions } from '../contracts/store.ts'
import type { Timer, World } from '../contracts/world.ts'
import { pause, untilAborted, WaitLimit } from '../coordination/abortable.ts'
import { durationMs } from '../coordination/names.ts'
import { layoutBits, type SnowflakeLayout, snowflakeText } from '../protocols/snowflake/layout.ts'
import { SnowflakeSequence } from '../protocols/snowflake/sequence.ts'
import type { GeneratorTiming } from './generator-timing.ts'
import { clockOutOfRange, idTimedOut, refusedIds } from './id-refusals.ts'
import type { NextOptions, SnowflakeGenerator, WorkerHold } from './snowflake-types.ts'
import type { Tenure, TenureSource } from './tenure.ts'

export interface GeneratorParts {
  readonly world: World
  readonly source: TenureSource
  readonly layout: SnowflakeLayout
  readonly datacentre: number
  readonly timing: GeneratorTiming
  /** Called once, when the generator was closed. */
  readonly onClose?: (generator: SnowflakeGenerator) => void
}

/**
 * A loop that takes many ids without yielding has the two clocks read for one of so many: reading them costs several times as much as an id does. Uniqueness does not
 * rest on it, but on the mark.
 */
const creditMax = 31

const retryMsMin = 50
const retryMsMax = 5_000
/** After so many readings of the wall clock the monotonic one is looked at, which stands still only in a simulated world. */
const readingsPerCheck = 1_000

/** Ids from tenures of worker ids: the shell around {@link SnowflakeSequence}. */
export class TenuredGenerator implements SnowflakeGenerator {
  readonly layout: SnowflakeLayout
  readonly #parts: GeneratorParts
  readonly #closing = new AbortController()
  #sequence: SnowflakeSequence
  #tenure: Tenure | undefined
  /** Ids that may be given in this turn without reading the clocks. */
  #idsOnCredit = 0
  #isCreditEnding = false
  #claiming: Promise<void> | undefined
  #extending: Promise<void> | undefined
  #timer: Timer | undefined
  #closed: Promise<void> | undefined
  /** Why there is no tenure. */
  #absence: unknown
  /** Settled when a wait for a tenure or for reserved time may have ended. */
  #progress: Deferred<void> = createDeferred()

  private constructor(parts: GeneratorParts) {
    this.#parts = parts
    this.layout = parts.layout
    this.#sequence = new SnowflakeSequence({ ...parts.timing, layout: parts.layout }, parts.datacentre)
  }

  /** Resolves with a generator that has a worker id. */
  static async open(parts: GeneratorParts, options?: CallOptions): Promise<TenuredGenerator> {
    const generator = new TenuredGenerator(parts)
    try {
      await generator.#claim(options)
    } catch (error) {
      await generator.close()
      throw error
    }
    return generator
  }

  get hold(): WorkerHold | undefined {
    const tenure = this.#tenure
    if (tenure?.isHeld !== true) return undefined
    const { worker, token, lost } = tenure
    return { datacentre: this.#parts.datacentre, worker, token, lost }
  }

  next(): bigint {
    if (this.#idsOnCredit > 0) {
      this.#idsOnCredit--
      const id = this.#sequence.nextInTime()
      if (id !== undefined) return id
    }
    if (this.#tenure?.isHeld === true) {
      const id = this.#sequence.next(this.#now())
      if (id !== undefined) {
        this.#giveCredit()
        return id
      }
    }
    return this.#afterRefusal()
  }

  /** Ends with the turn: whatever waits, or comes later, finds the clocks read anew. */
  #giveCredit(): void {
    this.#idsOnCredit = creditMax
    if (this.#isCreditEnding) return
    this.#isCreditEnding = true
    void Promise.resolve().then(this.#endCredit)
  }

  readonly #endCredit = (): void => {
    this.#idsOnCredit = 0
    this.#isCreditEnding = false
  }

  nextText(): string {
    return snowflakeText(this.next())
  }

  nextNumber(): number {
    const bits = layoutBits(this.layout)
    if (bits > 53)
      throw invalidArgument('layout', bits, 'at most 53 bits together where ids are to be numbers')
    return Number(this.next())
  }

  async nextAsync(options: NextOptions = {}): Promise<bigint> {
    const { world, timing } = this.#parts
    const limit = new WaitLimit()
      .endWith(options.signal)
      .endWith(this.#closing.signal, ({ reason }) => reason)
    const timeoutMs = durationMs('timeout', options.timeout ?? '5s')
    let last: AlthingError | undefined
    limit.endAfter(world, timeoutMs, () => idTimedOut(timeoutMs, last))
    try {
      for (;;) {
        limit.throwIfEnded()
        const id = this.#tenure?.isHeld === true ? this.#sequence.next(this.#now()) : undefined
        if (id !== undefined) return id
        last = this.#refusal()
        const waitMs = last.details?.['retryAfterMs']
        if (typeof waitMs === 'number') {
          if (timing.onClockBack === 'throw' && last.details?.['cause'] === 'clock-back') throw last
          await pause(world, waitMs, limit.signal)
        } else if (!last.retryable) throw last
        else await untilAborted(this.#progress.promise, limit.signal, (signal) => signal.reason)
      }
    } finally {
      limit.dispose()
    }
  }

  async renew(options?: CallOptions): Promise<void> {
    this.#assertOpen()
    await this.#claiming?.catch(() => {})
    const tenure = this.#tenure
    // The mark stays above all that was reserved: a copy of this process may be giving it.
    const usedUntil = Math.max(this.#usedUntil(), this.#sequence.until)
    this.#tenure = undefined
    await tenure?.release(usedUntil)
    this.#sequence = new SnowflakeSequence(
      { ...this.#parts.timing, layout: this.layout },
      this.#parts.datacentre,
    )
    await this.#claim(options)
  }

  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(): Promise<void> {
    this.#closing.abort(new AlthingError('closed', 'the generator of ids is closed', { outcome: 'none' }))
    this.#timer?.cancel()
    const tenure = this.#tenure
    const usedUntil = this.#usedUntil()
    this.#tenure = undefined
    await Promise.allSettled([this.#claiming, this.#extending])
    await tenure?.release(usedUntil)
    await this.#parts.source.close()
    this.#parts.onClose?.(this)
  }

  #now(): number {
    return Math.floor(this.#parts.world.clock.wallMs()) - this.layout.epochMs
  }

  #usedUntil(): number {
    return Math.max(this.#sequence.time + 1, this.#tenure?.window.from ?? 0)
  }

  #assertOpen(): void {
    if (this.#closing.signal.aborted) throw this.#closing.signal.reason
  }

  /** What {@link next} does when the machine gives nothing: waits a moment where that helps, else throws. */
  #afterRefusal(): bigint {
    const { timing, world } = this.#parts
    const startMs = world.clock.monotonicMs()
    for (;;) {
      const refusal = this.#refusal()
      const waitMs = refusal.details?.['retryAfterMs']
      const isAwaited = refusal.details?.['cause'] === 'ahead' || timing.onClockBack === 'wait'
      if (typeof waitMs !== 'number' || !isAwaited) throw refusal
      const endMs = startMs + timing.spinMaxMs
      if (world.clock.monotonicMs() + waitMs > endMs || !this.#awaitTick(endMs)) throw refusal
      const id = this.#tenure?.isHeld === true ? this.#sequence.next(this.#now()) : undefined
      if (id !== undefined) return id
    }
  }

  /** Returns when the wall clock shows another millisecond: no timer is as short. False when it does not by `endMs`, or time stands still. */
  #awaitTick(endMs: number): boolean {
    const { clock } = this.#parts.world
    const startMs = clock.monotonicMs()
    const now = this.#now()
    for (let readings = 1; this.#now() === now; readings++) {
      if (readings % readingsPerCheck !== 0) continue
      const nowMs = clock.monotonicMs()
      if (nowMs === startMs || nowMs > endMs) return false
    }
    return true
  }

  /** The error for the state that is now. `details.retryAfterMs` where time alone mends it. */
  #refusal(): AlthingError {
    if (this.#closing.signal.aborted) return this.#closing.signal.reason as AlthingError
    if (this.#tenure?.isHeld !== true) return this.#noWorker()
    const { refusal } = this.#sequence
    if (refusal.kind === 'window') void this.#keepAhead()
    return refusedIds(refusal, this.#parts.timing.clockBackMaxMs)
  }

  #noWorker(): AlthingError {
    void this.#recover()
    const cause = this.#absence
    const why = cause === undefined ? '' : `: ${cause instanceof Error ? cause.message : String(cause)}`
    return new AlthingError('unavailable', `there is no worker id now${why}`, {
      outcome: 'none',
      cause,
      details: { cause: 'no-worker' },
    })
  }

  async #claim(options?: CallOptions): Promise<void> {
    const { source, timing } = this.#parts
    const now = this.#now()
    if (now < 0 || now >= 2 ** this.layout.timeBits) throw clockOutOfRange()
    const request = {
      now,
      after: this.#sequence.time,
      reserveMs: timing.reserveMs,
      lateMs: timing.clockBackMaxMs,
    }
    const tenure = await source.claim(request, options)
    if (this.#closing.signal.aborted) {
      await tenure.release(tenure.window.from)
      this.#assertOpen()
    }
    this.#sequence.enter(tenure.worker, tenure.window)
    this.#tenure = tenure
    this.#absence = undefined
    const onLost = (): void => this.#onLost(tenure)
    if (tenure.lost.aborted) onLost()
    else tenure.lost.addEventListener('abort', onLost, { once: true })
    this.#schedule(timing.reserveMs / 2)
    this.#tellProgress()
  }

  #onLost(tenure: Tenure): void {
    if (this.#tenure !== tenure) return
    this.#absence = tenure.lost.reason
    this.#sequence.leave()
    this.#tenure = undefined
    this.#parts.world.logger.log('warn', 'a worker id was lost; another is asked for', {
      worker: tenure.worker,
      error: String(tenure.lost.reason),
    })
    void tenure.release(0)
    void this.#recover()
  }

  /** Asks for a worker id until there is one. */
  async #recover(): Promise<void> {
    if (this.#claiming !== undefined || this.#tenure?.isHeld === true) return
    this.#claiming = this.#claimUntilDone()
    await this.#claiming
    this.#claiming = undefined
  }

  async #claimUntilDone(): Promise<void> {
    for (
      let retryMs = retryMsMin;
      !this.#closing.signal.aborted;
      retryMs = Math.min(2 * retryMs, retryMsMax)
    ) {
      try {
        await this.#claim({ signal: this.#closing.signal })
        return
      } catch (error) {
        this.#absence = error
        if (isAlthingError(error, 'closed')) return
        this.#tellProgress()
      }
      const jitterMs = this.#parts.world.random.integer(0, retryMs)
      await pause(this.#parts.world, retryMs / 2 + jitterMs, this.#closing.signal)
    }
  }

  #schedule(delayMs: number): void {
    this.#timer?.cancel()
    if (!this.#closing.signal.aborted)
      this.#timer = this.#parts.world.timers.after(delayMs, () => void this.#keepAhead())
  }

  /** Moves the high-water mark when less than half of what is reserved is left. One at a time. */
  #keepAhead(): Promise<void> {
    this.#extending ??= this.#extend().finally(() => {
      this.#extending = undefined
    })
    return this.#extending
  }

  async #extend(): Promise<void> {
    const tenure = this.#tenure
    if (tenure?.isHeld !== true || this.#closing.signal.aborted) return
    const { reserveMs } = this.#parts.timing
    const time = Math.max(this.#now(), this.#sequence.time)
    const until = Math.min(time + reserveMs, 2 ** this.layout.timeBits)
    let retryMs = reserveMs / 2
    if (until - this.#sequence.until >= reserveMs / 4) {
      try {
        await tenure.extend(until, { signal: this.#closing.signal })
        if (this.#tenure === tenure) this.#sequence.extend(until)
        // Only now: a wait that a failure woke would ask at once again, and never let go of the loop where a store fails at once.
        this.#tellProgress()
      } catch (error) {
        retryMs = Math.min(retryMs, 200)
        if (!this.#closing.signal.aborted && tenure.isHeld)
          this.#parts.world.logger.log('debug', 'no more id time could be reserved; tried again', {
            error: String(error),
          })
      }
    }
    if (this.#tenure === tenure) this.#schedule(retryMs)
  }

  #tellProgress(): void {
    const told = this.#progress
    this.#progress = createDeferred()
    told.resolve()
  }
}
