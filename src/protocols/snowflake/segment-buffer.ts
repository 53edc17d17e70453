/** Ids `first <= id < end`, claimed for one process. */
export interface Segment {
  readonly first: bigint
  readonly end: bigint
}

export interface SegmentSteps {
  readonly min: number
  readonly max: number
}

/** A segment that lasted less than this was too small, more than {@link longMs} too large (Leaf). */
export const shortMs = 15 * 60_000
export const longMs = 30 * 60_000

/** The next segment is asked for when this share of the present one has been used (Leaf: when less than 90 % is left). */
export const prefetchShare = 0.1

/**
 * Two segments of ids, one in use and one to follow, as a pure machine (Meituan-Dianping Leaf, segment mode, 2017). The size of the next one
 * doubles when the last lasted for less than 15 minutes, and halves when for more than 30, within bounds.
 */
export class SegmentBuffer {
  readonly #steps: SegmentSteps
  #step: number
  #next = 0n
  #left = 0
  #prefetchAt = 0
  #spare: Segment | undefined
  #fetchedMs: number | undefined

  constructor(steps: SegmentSteps) {
    this.#steps = steps
    this.#step = steps.min
  }

  /** How large the next segment is to be. */
  get step(): number {
    return this.#step
  }

  /** Ids that can be given without another segment. */
  get left(): number {
    return this.#left + (this.#spare === undefined ? 0 : Number(this.#spare.end - this.#spare.first))
  }

  /** Whether a segment should be fetched now. */
  get wantsMore(): boolean {
    return this.#spare === undefined && this.#left <= this.#prefetchAt
  }

  /** `undefined` when both segments are used up. */
  next(): bigint | undefined {
    if (this.#left === 0 && !this.#turnOver()) return undefined
    this.#left--
    const id = this.#next
    this.#next = id + 1n
    return id
  }

  /** A segment came at `nowMs`, by a monotonic clock. Only when there is no spare one. */
  add(segment: Segment, nowMs: number): void {
    const lastedMs = nowMs - (this.#fetchedMs ?? nowMs - shortMs)
    if (lastedMs < shortMs) this.#step = Math.min(this.#step * 2, this.#steps.max)
    else if (lastedMs > longMs) this.#step = Math.max(Math.floor(this.#step / 2), this.#steps.min)
    this.#fetchedMs = nowMs
    this.#spare = segment
    if (this.#left === 0) this.#turnOver()
  }

  #turnOver(): boolean {
    const segment = this.#spare
    if (segment === undefined) return false
    this.#spare = undefined
    this.#next = segment.first
    this.#left = Number(segment.end - segment.first)
    this.#prefetchAt = Math.floor(this.#left * (1 - prefetchShare))
    return true
  }
}
