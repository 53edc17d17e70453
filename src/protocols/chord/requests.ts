import type { ChordMessage, ChordPeer } from './types.ts'

export interface ChordRequest {
  readonly to: ChordPeer
  /** How often it is sent before the other is given up. */
  readonly tries: number
  send(): void
  answered(message: ChordMessage): void
  failed(): void
}

interface Pending {
  readonly request: ChordRequest
  readonly triesLeft: number
  readonly endsMs: number
}

/** Requests under way, each until its answer or its end. All tries have the same length, so they end in the order in which they began. */
export class Requests {
  readonly #pending = new Map<number, Pending>()
  readonly #timeoutMs: number
  #last: number

  /** Answers to an earlier life of the node must not be taken for answers to this one. */
  constructor(timeoutMs: number, nowMs: number) {
    this.#timeoutMs = timeoutMs
    this.#last = Math.floor(nowMs) * 1_024
  }

  get nextDeadlineMs(): number {
    for (const { endsMs } of this.#pending.values()) return endsMs
    return Number.POSITIVE_INFINITY
  }

  nextNumber(): number {
    this.#last += 1
    return this.#last
  }

  begin(number: number, request: ChordRequest, nowMs: number): void {
    this.#try(number, request, request.tries, nowMs)
  }

  /** False when nothing is known of such a request: late, doubled, or none of this node's. */
  answered(message: ChordMessage): boolean {
    const pending = this.#pending.get(message.request)
    if (pending === undefined || pending.request.to.id !== message.from.id) return false
    this.#pending.delete(message.request)
    pending.request.answered(message)
    return true
  }

  tick(nowMs: number): void {
    for (const [number, { request, triesLeft, endsMs }] of this.#pending) {
      if (endsMs > nowMs) return
      this.#pending.delete(number)
      if (triesLeft > 1) this.#try(number, request, triesLeft - 1, nowMs)
      else request.failed()
    }
  }

  #try(number: number, request: ChordRequest, triesLeft: number, nowMs: number): void {
    this.#pending.set(number, { request, triesLeft, endsMs: nowMs + this.#timeoutMs })
    request.send()
  }
}
