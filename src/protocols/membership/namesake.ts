import type { Core } from './core.ts'
import type { Life, SwimMessage } from './types.ts'

/** Questions without an answer after which the one at an address is taken for dead. */
const asksMax = 2
/** Addresses that are remembered; the oldest goes. */
const addressesMax = 16

interface Asked {
  seq: number
  atMs: number
  unanswered: number
  /** It has answered, and came later than this one. */
  isJunior: boolean
}

/**
 * Settles with another process that goes by the name of this member which of the two stays: the one that has begun first. Each asks the other itself, and yields only to an answer of
 * just now: what others say of a namesake may be of an earlier life, which has ended.
 *
 *     newcomer ── ping, its life ──▶ the one that was there      which asks too, and is told that the other came later
 *     newcomer ◀── ack, its life ──  and ends
 */
export class Namesake {
  readonly #core: Core
  readonly #nextSeq: () => number
  readonly #asked = new Map<string, Asked>()
  #told: { readonly address: string; readonly atMs: number } | undefined
  #life: Life | undefined
  #hasYielded = false

  constructor(core: Core, nextSeq: () => number) {
    this.#core = core
    this.#nextSeq = nextSeq
  }

  /** This member has ended: the other was first. */
  get hasYielded(): boolean {
    return this.#hasYielded
  }

  /** Another is said to go by this name at `address`. Asked at most once in the time for an answer. */
  ask(address: string): void {
    const { nowMs, options, health } = this.#core
    const asked = this.#asked.get(address)
    if (asked !== undefined && nowMs < asked.atMs + options.probeTimeoutMs) return
    const seq = this.#nextSeq()
    const unanswered = (asked?.unanswered ?? 0) + 1
    this.#asked.delete(address)
    this.#asked.set(address, { seq, atMs: nowMs, unanswered, isJunior: asked?.isJunior ?? false })
    const [oldest] = this.#asked.keys()
    if (this.#asked.size > addressesMax && oldest !== undefined) this.#asked.delete(oldest)
    const question = { type: 'ping', seq, to: options.id, score: health.score, life: this.#ownLife } as const
    this.#core.sendWith(address, question, [])
  }

  /** Whether it is still to be found out if the one at `address` lives and was first: until then a newcomer is not to be heard of. */
  mustWaitFor(address: string): boolean {
    const { nowMs, options } = this.#core
    const asked = this.#asked.get(address)
    if (asked?.isJunior === true) return false
    if (asked !== undefined && asked.unanswered >= asksMax && nowMs >= asked.atMs + options.probeTimeoutMs)
      return false
    this.ask(address)
    return true
  }

  /** From one that goes by this name. */
  heard(message: SwimMessage, replyTo: string): void {
    const { self, options, health } = this.#core
    if (self.state === 'left' || replyTo === self.details.address) return
    if (message.type === 'ack') {
      this.#answered(message.seq, message.life, replyTo)
      return
    }
    if (message.type === 'ping' && message.life !== undefined && message.to === options.id) {
      // By another address of its own.
      if (this.#isOwn(message.life)) return
      const answer = { type: 'ack', seq: message.seq, score: health.score, life: this.#ownLife } as const
      this.#core.sendWith(replyTo, answer, [])
      // It ends by that answer, and gives none itself.
      if (isBefore(this.#ownLife, message.life)) this.#tellOf(replyTo)
    }
    this.ask(replyTo)
  }

  #answered(seq: number, life: Life | undefined, address: string): void {
    const asked = this.#asked.get(address)
    if (life === undefined || asked?.seq !== seq || asked.unanswered === 0) return
    asked.unanswered = 0
    asked.isJunior = isBefore(this.#ownLife, life)
    if (asked.isJunior) {
      this.#tellOf(address)
      return
    }
    this.#hasYielded = true
    this.#core.emit({ type: 'conflict', address, yields: true })
  }

  /** Of one that is to end, once for each time that it may take to. */
  #tellOf(address: string): void {
    const { nowMs, options } = this.#core
    if (address === this.#told?.address && nowMs < this.#told.atMs + 10 * options.probeIntervalMs) return
    this.#told = { address, atMs: nowMs }
    this.#core.emit({ type: 'conflict', address, yields: false })
  }

  #isOwn({ since, draw }: Life): boolean {
    return since === this.#ownLife.since && draw === this.#ownLife.draw
  }

  get #ownLife(): Life {
    const { options, random } = this.#core
    this.#life ??= { since: options.incarnation, draw: random.integer(0, 2 ** 31) }
    return this.#life
  }
}

function isBefore(a: Life, b: Life): boolean {
  return a.since === b.since ? a.draw < b.draw : a.since < b.since
}
