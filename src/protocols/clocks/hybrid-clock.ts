import { AlthingError, invalidArgument } from '../../contracts/errors.ts'

/**
 * A hybrid timestamp in one integer: 48 bits of milliseconds since 1970, then 16 bits that count what happened within one millisecond. Greater is later;
 * good until the year 10889.
 */
export type HybridTimestamp = bigint

export interface HybridClockOptions {
  /** The last timestamp used by this node, if it has a past and must not repeat one. */
  readonly last?: HybridTimestamp
  /**
   * How far, in milliseconds, a remote timestamp may be ahead of this node's wall clock. One that is further is refused, for a single wrong clock would carry
   * everyone along. Set it over the worst difference of two honest clocks. Default 500; 0..2^47.
   */
  readonly skewMsMax?: number
}

/** What a clock has seen of other clocks' error, and its own. All in milliseconds. */
export interface HybridClockSkew {
  /** How far the last timestamp is ahead of the wall clock: over 0 after the wall clock was stepped back, or where others are ahead. */
  readonly aheadMs: number
  /** The most that an accepted remote timestamp was ahead of the wall clock. */
  readonly remoteAheadMsMax: number
  /** The most that a refused one was; 0 for none. */
  readonly refusedAheadMsMax: number
  readonly refusedCount: number
}

export const hybridClockDefaults = { skewMsMax: 500 } as const

const counterBits = 16n
const counterMax = 0xffffn
const wallMsMax = 2 ** 48 - 1

/**
 * A hybrid logical clock (Kulkarni, Demirbas, Madappa, Avva and Leone, *Logical Physical Clocks*, OPODIS 2014, figure 5): timestamps that order causes before effects like
 * Lamport's, and stay close to the wall clock, so that they also mean a time. Wall time comes in as an argument and may step back or forth: timestamps of one clock
 * only grow.
 */
export class HybridClock {
  readonly #skewMsMax: number
  #last: HybridTimestamp
  #lastWallMs = 0
  #remoteAheadMsMax = 0
  #refusedAheadMsMax = 0
  #refusedCount = 0

  constructor(options: HybridClockOptions = {}) {
    const { last = 0n, skewMsMax = hybridClockDefaults.skewMsMax } = options
    if (!Number.isFinite(skewMsMax) || skewMsMax < 0 || skewMsMax > 2 ** 47)
      throw invalidArgument('skewMsMax', skewMsMax, 'milliseconds from 0 to 2^47')
    this.#last = checkTimestamp('last', last)
    this.#skewMsMax = skewMsMax
  }

  /** The last timestamp given; 0n before the first. */
  get last(): HybridTimestamp {
    return this.#last
  }

  /** The timestamp of an event here, or of a message to be sent: greater than all before. */
  now(wallMs: number): HybridTimestamp {
    return this.#advance(this.#last, wallMs)
  }

  /**
   * The timestamp of the receipt of a message: greater than its own and than all before here. Throws `conflict`, with `details.aheadMs`, and takes nothing over,
   * when the remote timestamp is further ahead of the wall clock than `skewMsMax`: drop the message, or have someone look at the clocks.
   */
  receive(remote: HybridTimestamp, wallMs: number): HybridTimestamp {
    checkTimestamp('remote', remote)
    const aheadMs = hybridWallMs(remote) - checkWallMs(wallMs)
    if (aheadMs > this.#skewMsMax) {
      this.#refusedCount += 1
      this.#refusedAheadMsMax = Math.max(this.#refusedAheadMsMax, aheadMs)
      throw tooFarAhead(aheadMs, this.#skewMsMax)
    }
    this.#remoteAheadMsMax = Math.max(this.#remoteAheadMsMax, aheadMs)
    return this.#advance(remote > this.#last ? remote : this.#last, wallMs)
  }

  /** As of the last call of `now` or `receive`. */
  skew(): HybridClockSkew {
    return {
      aheadMs: this.#last === 0n ? 0 : Math.max(0, hybridWallMs(this.#last) - this.#lastWallMs),
      remoteAheadMsMax: this.#remoteAheadMsMax,
      refusedAheadMsMax: this.#refusedAheadMsMax,
      refusedCount: this.#refusedCount,
    }
  }

  /** The wall clock where it leads, else one more than the latest known. A counter that is full carries into the milliseconds. */
  #advance(latest: HybridTimestamp, wallMs: number): HybridTimestamp {
    const wall = BigInt(checkWallMs(wallMs)) << counterBits
    const next = wall > latest ? wall : latest + 1n
    this.#last = checkTimestamp('the next timestamp', next)
    this.#lastWallMs = Math.floor(wallMs)
    return next
  }
}

/** Milliseconds since 1970, as far as the timestamp tells the time. */
export function hybridWallMs(timestamp: HybridTimestamp): number {
  return Number(timestamp >> counterBits)
}

/** What happened before within the same millisecond. */
export function hybridCounter(timestamp: HybridTimestamp): number {
  return Number(timestamp & counterMax)
}

/** 16 hexadecimal digits, whose order as texts is that of the timestamps: fit for keys. */
export function formatHybrid(timestamp: HybridTimestamp): string {
  return checkTimestamp('timestamp', timestamp).toString(16).padStart(16, '0')
}

/** The inverse of {@link formatHybrid}. Throws `invalid-argument`. */
export function parseHybrid(text: string): HybridTimestamp {
  if (typeof text !== 'string' || !/^[0-9a-f]{16}$/.test(text))
    throw invalidArgument('text', text, '16 hexadecimal digits in lower case')
  return BigInt(`0x${text}`)
}

function checkWallMs(wallMs: number): number {
  if (wallMs >= 0 && wallMs <= wallMsMax) return Math.floor(wallMs)
  throw invalidArgument('wallMs', wallMs, `milliseconds since 1970, from 0 to ${wallMsMax}`)
}

function checkTimestamp(field: string, timestamp: HybridTimestamp): HybridTimestamp {
  if (typeof timestamp === 'bigint' && timestamp >= 0n && timestamp < 1n << 64n) return timestamp
  throw invalidArgument(field, timestamp, 'a bigint from 0 to 2^64 - 1')
}

function tooFarAhead(aheadMs: number, skewMsMax: number): AlthingError {
  return new AlthingError(
    'conflict',
    `a remote timestamp is ${aheadMs} ms ahead of the wall clock of this node, but at most ${skewMsMax} ms are allowed: one of the two clocks is wrong`,
    { outcome: 'none', details: { aheadMs, skewMsMax } },
  )
}
