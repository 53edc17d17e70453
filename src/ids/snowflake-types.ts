import type { Duration } from '../base/duration.ts'
import type { CallOptions } from '../contracts/store.ts'
import type { SnowflakeLayout } from '../protocols/snowflake/layout.ts'
import type { OnClockBack } from '../protocols/snowflake/sequence.ts'

/** How a generator treats time. The same with and without a store. */
export interface SnowflakeTimeOptions {
  /**
   * What to do when the wall clock shows less than before. `'wait'` (default): give nothing until it has caught up; `'borrow'`: go on from the
   * last time; `'throw'`: refuse at once. A step of more than `clockBackMax` is refused by all three.
   */
  readonly onClockBack?: OnClockBack
  /** The greatest step back that is waited for or borrowed over. Default '5s'; 1 ms to 10 m. */
  readonly clockBackMax?: Duration
  /** How far ids may run ahead of the clock in a burst. Default '10ms'; 0 to 1 s. With `'borrow'`: `clockBackMax`. */
  readonly maxAhead?: Duration
  /**
   * How much id time is written to the high-water mark in advance; half of it later the next piece is written. Default '3s'; 50 ms to 1 h. Less: a worker
   * id is free earlier after a crash, and a machine that is copied with its memory has less of it; more: longer without the store.
   */
  readonly reserve?: Duration
  /** How long `next()` may hold up the program to wait for the clock. Default '20ms'; 0 to 1 s. */
  readonly spinMax?: Duration
}

export interface SnowflakeOptions extends SnowflakeTimeOptions {
  /** Which datacentre this is; yours to number. Default 0. */
  readonly datacentre?: number
  /** Widths and epoch. Kept in the store with the first generator of the namespace; another later is refused with `conflict`. */
  readonly layout?: Partial<SnowflakeLayout>
  /** Time to live of the claim on the worker id; so long after the death of its holder another can have it. Default '30s'. */
  readonly ttl?: Duration
  /** What holds the worker id, for people to read: `explain` tells it. Default: the host and process. At most 256 characters. */
  readonly label?: string
  readonly signal?: AbortSignal
}

/** What a generator has now. */
export interface WorkerHold {
  readonly datacentre: number
  readonly worker: number
  /** Grows with each holder of a worker id; 0 without a store. */
  readonly token: number
  /** Fires with the cause before another can have the worker id. The generator then asks for a worker id anew by itself. */
  readonly lost: AbortSignal
}

export interface NextOptions {
  readonly signal?: AbortSignal
  /** Default '5s'. */
  readonly timeout?: Duration
}

/**
 * Ids of 63 bits that no other generator of the namespace gives, and that grow.
 *
 * - Unique: the times of each piece of ids are written to the store, under the worker id, before any of them is given, and no time is written twice. No
 *   clock is trusted for it.
 * - Each id is greater than the one before it from this generator. Ids of different generators are in the order of their clocks, no better.
 */
export interface SnowflakeGenerator {
  readonly layout: SnowflakeLayout
  /** `undefined` while it has none: it was lost, and the next is being asked for. */
  readonly hold: WorkerHold | undefined
  /**
   * The next id, at once. Throws `unavailable` where it must not give one: the worker id may be lost, the clock stepped back, the reserved time is used up
   * (`details.cause`: `no-worker`, `clock-back`, `reserve`, `clock-out-of-range`), `overloaded` when the sequence is used up for longer than `spinMax`, and `closed`.
   */
  next(): bigint
  /** As {@link next}, but waits for what comes by itself. Rejects with `timeout`, `aborted`, `closed`, and at once with `unavailable` after a large step back. */
  nextAsync(options?: NextOptions): Promise<bigint>
  /** As text of 19 digits, which sorts as the ids do. */
  nextText(): string
  /** Throws `invalid-argument` for a layout of more than 53 bits: its ids are no JavaScript numbers. */
  nextNumber(): number
  /**
   * Throws away what is reserved and the worker id, and claims anew. To be called in a machine that was copied with its memory, before it gives ids; also
   * ends a refusal after a large step back of the clock. Ids may be less than before from then on.
   */
  renew(options?: CallOptions): Promise<void>
  /** Frees the worker id. Idempotent. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

export const snowflakeDefaults = {
  onClockBack: 'wait',
  clockBackMax: '5s',
  maxAhead: '10ms',
  reserve: '3s',
  spinMax: '20ms',
  ttl: '30s',
} as const
