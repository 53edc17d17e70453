import type { RingMessage, RingToken } from './ring.ts'
import type { NodeId } from './types.ts'

export interface SuccessorsOptions {
  readonly id: NodeId
  /** In the order of the ring. */
  readonly members: readonly NodeId[]
  /** A token that is not acknowledged within this time is sent again, and after that to the next. */
  readonly replyMsMax: number
  /** How often those who were passed over are asked whether they are up again. */
  readonly probeMs: number
  send(message: RingMessage): void
  /** The token has come back to this node, for nobody else is up. */
  round(token: RingToken): void
}

interface Passing {
  readonly token: RingToken
  readonly to: NodeId
  readonly tries: number
  readonly sinceMs: number
  readonly endsMs: number
}

const triesMax = 2
/** Tokens on their way from here. Past it the oldest is given up: its election is begun again when no result comes. */
const passingsMax = 256

/** Keeps the ring closed: passes each token to the next node that acknowledges it, and remembers who does not. */
export class Successors {
  readonly #options: SuccessorsOptions
  /** All others, the next one first. */
  readonly #others: readonly NodeId[]
  readonly #down = new Set<NodeId>()
  readonly #heardMs = new Map<NodeId, number>()
  readonly #passings = new Map<number, Passing>()
  #sequence = 0
  #probesMs = Number.POSITIVE_INFINITY

  constructor(options: SuccessorsOptions) {
    this.#options = options
    const place = options.members.indexOf(options.id)
    this.#others = [...options.members.slice(place + 1), ...options.members.slice(0, place)]
  }

  get nextDeadlineMs(): number {
    let earliestMs = this.#probesMs
    for (const { endsMs } of this.#passings.values()) earliestMs = Math.min(earliestMs, endsMs)
    return earliestMs
  }

  /** Whoever has passed this node over learns that it is up. */
  announce(): void {
    const { id, send } = this.#options
    for (const member of this.#others)
      send({ type: 'probe', from: id, to: member, sequence: ++this.#sequence })
  }

  pass(token: RingToken, nowMs: number): void {
    const next = this.#others.find((member) => !this.#down.has(member))
    if (next === undefined) return this.#options.round(token)
    this.#send(token, next, 1, nowMs)
  }

  /** The token, if the message brings one. */
  receive(message: RingMessage, nowMs: number): RingToken | undefined {
    const { from, sequence } = message
    this.#heardMs.set(from, nowMs)
    if (this.#down.delete(from) && this.#down.size === 0) this.#probesMs = Number.POSITIVE_INFINITY
    if (message.type === 'passed') {
      this.#passings.delete(sequence)
      return undefined
    }
    this.#options.send({ type: 'passed', from: this.#options.id, to: from, sequence })
    if (this.#down.size > 0 && this.#probesMs === Number.POSITIVE_INFINITY) this.#probesMs = nowMs
    return message.type === 'pass' ? message.token : undefined
  }

  tick(nowMs: number): void {
    for (const [sequence, passing] of [...this.#passings]) {
      if (nowMs < passing.endsMs || !this.#passings.delete(sequence)) continue
      const { token, to, tries, sinceMs } = passing
      // It may have come up after the token was lost on it: then it must not be passed over.
      const isUp = (this.#heardMs.get(to) ?? Number.NEGATIVE_INFINITY) >= sinceMs
      if (!this.#down.has(to) && (isUp || tries < triesMax)) {
        this.#send(token, to, isUp ? 1 : tries + 1, nowMs)
        continue
      }
      this.#down.add(to)
      this.#probesMs = Math.min(this.#probesMs, nowMs + this.#options.probeMs)
      this.pass(token, nowMs)
    }
    if (nowMs >= this.#probesMs) this.#probe(nowMs)
  }

  /** Only those before the next one that is up: the others are asked by the nodes before them. Alone, all. */
  #probe(nowMs: number): void {
    this.#probesMs = nowMs + this.#options.probeMs
    for (const member of this.#others) {
      if (!this.#down.has(member)) return
      const { id } = this.#options
      this.#options.send({ type: 'probe', from: id, to: member, sequence: ++this.#sequence })
    }
  }

  #send(token: RingToken, to: NodeId, tries: number, nowMs: number): void {
    const sequence = ++this.#sequence
    this.#passings.set(sequence, {
      token,
      to,
      tries,
      sinceMs: nowMs,
      endsMs: nowMs + this.#options.replyMsMax,
    })
    const [oldest] = this.#passings.keys()
    if (this.#passings.size > passingsMax && oldest !== undefined) this.#passings.delete(oldest)
    this.#options.send({ type: 'pass', from: this.#options.id, to, sequence, token })
  }
}
