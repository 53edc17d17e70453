import type { ChordMessage, ChordPeer } from './types.ts'

interface Pending {
  readonly to: ChordPeer
  readonly endsMs: number
  answered(message: ChordMessage): void
  failed(): void
}

/** Requests under way, each until its answer or its end. All have the same length, so they end in the order in which they began. */
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

  begin(
    request: number,
    to: ChordPeer,
    nowMs: number,
    answered: (message: ChordMessage) => void,
    failed: () => void,
  ): void {
    this.#pending.set(request, { to, endsMs: nowMs + this.#timeoutMs, answered, failed })
  }

  /** False when nothing is known of such a request: late, doubled, or none of this node's. */
  answered(message: ChordMessage): boolean {
    const pending = this.#pending.get(message.request)
    if (pending === undefined || pending.to.id !== message.from.id) return false
    this.#pending.delete(message.request)
    pending.answered(message)
    return true
  }

  tick(nowMs: number): void {
    for (const [request, pending] of this.#pending) {
      if (pending.endsMs > nowMs) return
      this.#pending.delete(request)
      pending.failed()
    }
  }
}
