import { EventHeap } from '../world/event-heap.ts'
import type { SeededRandom } from '../world/seeded-random.ts'

export interface NetworkConditions {
  /** Bounds of the time that a message takes. */
  readonly delayMsMin: number
  readonly delayMsMax: number
  /** Shares of messages, 0..1. */
  readonly lossShare: number
  readonly doubleShare: number
}

interface Addressed {
  readonly from: number
  readonly to: number
}

/** Virtual time and a network for pure machines: no promises, no processes, so that a thousand nodes run fast. All chance is from the one stream given. */
export class MessageNetwork<Message extends Addressed> {
  conditions: NetworkConditions
  readonly #random: SeededRandom
  readonly #heap = new EventHeap()
  readonly #deliver: (message: Message) => void
  readonly #sent = new Map<string, number>()
  #partOf: ReadonlyMap<number, number> = new Map()
  #nowUs = 0
  #sequence = 0

  constructor(random: SeededRandom, conditions: NetworkConditions, deliver: (message: Message) => void) {
    this.#random = random
    this.conditions = conditions
    this.#deliver = deliver
  }

  get nowMs(): number {
    return this.#nowUs / 1_000
  }

  /** Messages sent, by the kind they were sent under. */
  get sent(): ReadonlyMap<string, number> {
    return this.#sent
  }

  clearCounts(): void {
    this.#sent.clear()
  }

  /** Nodes in different parts do not reach each other. A node that is in none is in part 0. */
  part(partOf: ReadonlyMap<number, number>): void {
    this.#partOf = partOf
  }

  /** What is under way when a partition begins still arrives: it had left. */
  send(message: Message, kind: string): void {
    this.#sent.set(kind, (this.#sent.get(kind) ?? 0) + 1)
    const { lossShare, doubleShare } = this.conditions
    if ((this.#partOf.get(message.from) ?? 0) !== (this.#partOf.get(message.to) ?? 0)) return
    if (this.#random.chance(lossShare)) return
    this.#carry(message)
    if (this.#random.chance(doubleShare)) this.#carry(message)
  }

  /** Returns what cancels it. */
  after(delayMs: number, action: () => void): () => void {
    const event: { atUs: number; sequence: number; action: (() => void) | undefined } = {
      atUs: this.#nowUs + Math.max(0, Math.ceil(delayMs * 1_000)),
      sequence: this.#sequence++,
      action,
    }
    this.#heap.push(event)
    return () => {
      event.action = undefined
    }
  }

  /** Lets everything happen up to a point of time, or until `isDone`, asked after each event. Returns whether it was done. */
  runUntil(timeMs: number, isDone?: () => boolean): boolean {
    const endUs = Math.round(timeMs * 1_000)
    for (;;) {
      const event = this.#heap.peek()
      if (event === undefined || event.atUs > endUs) break
      this.#heap.pop()
      if (event.action === undefined) continue
      this.#nowUs = event.atUs
      event.action()
      if (isDone?.() === true) return true
    }
    this.#nowUs = Math.max(this.#nowUs, endUs)
    return isDone?.() ?? false
  }

  #carry(message: Message): void {
    const { delayMsMin, delayMsMax } = this.conditions
    this.after(this.#random.between(delayMsMin, delayMsMax), () => this.#deliver(message))
  }
}
