import { assert } from '../../base/assert.ts'
import { Heap } from '../../base/heap.ts'
import { Swim } from '../../protocols/membership/swim.ts'
import type {
  MemberId,
  SwimEffect,
  SwimEvent,
  SwimMessage,
  SwimOptions,
} from '../../protocols/membership/types.ts'
import { SeededRandom } from '../world/seeded-random.ts'

export interface SwimGroupOptions {
  readonly seed: number | string
  readonly size: number
  readonly swim?: Partial<Omit<SwimOptions, 'id' | 'address'>>
  /** One way, uniform (default 0.5 to 2 ms). */
  readonly latencyMs?: readonly [min: number, max: number]
  /** Share of the messages (default 0). */
  readonly loss?: number
  readonly doubled?: number
  /** How far the members' clocks run apart, at most (default 0): 0.01 is one in a hundred. */
  readonly drift?: number
  /** Messages from the one never reach the other. */
  readonly cut?: (from: MemberId, to: MemberId) => boolean
  /** More of it on that way. */
  readonly delayMs?: (from: MemberId, to: MemberId) => number
  /** Processes that go by another name than their own. */
  readonly named?: Readonly<Record<MemberId, MemberId>>
  /** `false`: they know nobody at the start. Default: each knows all. */
  readonly isIntroduced?: boolean
  happened?(at: MemberId, effect: Exclude<SwimEffect, { type: 'send' }>, nowMs: number): void
  sent?(from: MemberId, to: MemberId, message: SwimMessage, nowMs: number): void
}

interface Happening {
  readonly atMs: number
  readonly order: number
  readonly run: () => void
}

/** A process of the group, which may be down or stand still. */
class Place {
  readonly id: MemberId
  readonly rate: number
  swim: Swim | undefined
  life = 0
  wakeMs = Number.POSITIVE_INFINITY
  blockedUntilMs = 0
  heldUntilMs = 0
  readonly waiting: SwimEvent[] = []
  messagesSent = 0

  constructor(id: MemberId, rate: number) {
    this.id = id
    this.rate = rate
  }
}

/**
 * Many members of {@link Swim} on simulated time, with nothing around them: a thousand of them for minutes in seconds. Members crash, come back, stand still (what
 * is due meanwhile, timers first, is done when they go on, as in a blocked event loop); messages are lost, doubled, overtaken and cut off. The same seed gives the same run.
 */
export class SwimGroup {
  nowMs = 0
  messages = 0
  readonly #options: SwimGroupOptions
  readonly #places = new Map<MemberId, Place>()
  readonly #heap = new Heap<Happening>((a, b) => a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order))
  readonly #random: SeededRandom
  readonly #latency: readonly [number, number]
  #loss: number
  #doubled: number
  #order = 0
  #side: ((id: MemberId) => number) | undefined

  constructor(options: SwimGroupOptions) {
    this.#options = options
    this.#random = new SeededRandom(`${options.seed}/network`)
    this.#latency = options.latencyMs ?? [0.5, 2]
    this.#loss = options.loss ?? 0
    this.#doubled = options.doubled ?? 0
    const { drift = 0 } = options
    for (let i = 1; i <= options.size; i++) {
      const rate = 1 + drift * (2 * this.#random.float() - 1)
      this.#places.set(`m${i}`, new Place(`m${i}`, rate))
    }
    for (const id of this.#places.keys()) this.start(id)
    if (options.isIntroduced !== false) this.#introduceAll()
  }

  get ids(): MemberId[] {
    return [...this.#places.keys()]
  }

  /** Those that run, be it that they stand still. */
  get running(): MemberId[] {
    return [...this.#places.values()].filter(({ swim }) => swim !== undefined).map(({ id }) => id)
  }

  member(id: MemberId): Swim {
    const { swim } = this.#place(id)
    assert(swim !== undefined, 'the member is down', { id })
    return swim
  }

  messagesSentBy(id: MemberId): number {
    return this.#place(id).messagesSent
  }

  /** A new life of the member; it knows nobody. */
  start(id: MemberId, swim: Partial<Omit<SwimOptions, 'id' | 'address'>> = {}): void {
    const place = this.#place(id)
    place.life++
    place.wakeMs = Number.POSITIVE_INFINITY
    place.waiting.length = 0
    place.blockedUntilMs = 0
    const random = new SeededRandom(`${this.#options.seed}/${id}/${place.life}`)
    const { membersMax = Math.max(10, 2 * this.#options.size) } = this.#options.swim ?? {}
    const options = {
      incarnation: 0,
      ...this.#options.swim,
      membersMax,
      ...swim,
      id: this.#nameOf(id),
      address: id,
    }
    place.swim = new Swim(options, random, this.#local(place))
    this.#arm(place)
  }

  /** Ends it without a word. */
  crash(id: MemberId): void {
    const place = this.#place(id)
    place.swim = undefined
    place.wakeMs = Number.POSITIVE_INFINITY
  }

  step(id: MemberId, event: SwimEvent): void {
    this.#step(this.#place(id), event)
  }

  /** It stands still: it does nothing for so long, and then all that has come meanwhile. */
  block(id: MemberId, ms: number): void {
    const place = this.#place(id)
    const untilMs = this.nowMs + ms
    if (untilMs <= place.blockedUntilMs) return
    place.blockedUntilMs = untilMs
    const { life } = place
    this.at(untilMs, () => {
      if (place.life === life && place.blockedUntilMs === untilMs) this.#unblock(place)
    })
  }

  /** What it sends and what is sent to it stays where it is for so long; it goes on by its timers, and takes all others for silent. */
  hold(id: MemberId, ms: number): void {
    const place = this.#place(id)
    place.heldUntilMs = Math.max(place.heldUntilMs, this.nowMs + ms)
  }

  isBlocked(id: MemberId): boolean {
    return this.#place(id).blockedUntilMs > this.nowMs
  }

  /** Members on different sides do not reach each other; `undefined`: all do. */
  partition(side: ((id: MemberId) => number) | undefined): void {
    this.#side = side
  }

  setNetwork({ loss, doubled }: { readonly loss: number; readonly doubled: number }): void {
    this.#loss = loss
    this.#doubled = doubled
  }

  /** Something that the one who runs the group does at that time. */
  at(atMs: number, run: () => void): void {
    this.#heap.push({ atMs, order: this.#order++, run })
  }

  runUntil(untilMs: number): void {
    for (;;) {
      const next = this.#heap.peek()
      if (next === undefined || next.atMs > untilMs) break
      this.#heap.pop()
      this.nowMs = next.atMs
      next.run()
    }
    this.nowMs = untilMs
  }

  /** Runs until `isTrue`, looking every `everyMs`; the time it took, or `undefined` when it is not within `withinMs`. */
  runUntilTrue(isTrue: () => boolean, everyMs: number, withinMs: number): number | undefined {
    const startMs = this.nowMs
    while (this.nowMs - startMs <= withinMs) {
      if (isTrue()) return this.nowMs - startMs
      this.runUntil(this.nowMs + everyMs)
    }
    return undefined
  }

  #introduceAll(): void {
    for (const place of this.#places.values()) {
      for (const id of this.#places.keys()) {
        const name = this.#nameOf(id)
        if (name !== place.swim?.self.id)
          place.swim?.step({ type: 'introduce', id: name, address: id }, this.#local(place))
      }
      this.#arm(place)
    }
  }

  #place(id: MemberId): Place {
    const place = this.#places.get(id)
    assert(place !== undefined, 'no such member', { id })
    return place
  }

  #nameOf(id: MemberId): MemberId {
    return this.#options.named?.[id] ?? id
  }

  #local({ rate }: Place): number {
    return this.nowMs * rate
  }

  #step(place: Place, event: SwimEvent): void {
    const { swim } = place
    if (swim === undefined) return
    if (place.blockedUntilMs > this.nowMs) {
      if (event.type !== 'tick') place.waiting.push(event)
      return
    }
    for (const effect of swim.step(event, this.#local(place))) {
      if (effect.type === 'send') this.#send(place, effect.to, effect.message)
      else this.#options.happened?.(place.id, effect, this.nowMs)
    }
    this.#arm(place)
  }

  #unblock(place: Place): void {
    place.wakeMs = Number.POSITIVE_INFINITY
    if (place.swim !== undefined && place.swim.dueMs <= this.#local(place))
      this.#step(place, { type: 'tick' })
    for (const event of place.waiting.splice(0)) this.#step(place, event)
    this.#arm(place)
  }

  #arm(place: Place): void {
    const { swim, rate, life } = place
    if (swim === undefined || place.blockedUntilMs > this.nowMs) return
    // A little later, so that it is due by the clock of the member too, whatever was rounded.
    const wakeMs = Math.max(this.nowMs, swim.dueMs / rate + 0.001)
    if (wakeMs >= place.wakeMs || wakeMs === Number.POSITIVE_INFINITY) return
    place.wakeMs = wakeMs
    this.at(wakeMs, () => {
      if (place.life !== life || place.wakeMs !== wakeMs) return
      place.wakeMs = Number.POSITIVE_INFINITY
      // What is due while it stands still is seen to when it goes on.
      if (place.blockedUntilMs > this.nowMs) return
      if (swim.dueMs <= this.#local(place)) this.#step(place, { type: 'tick' })
      else this.#arm(place)
    })
  }

  #send(place: Place, to: MemberId, message: SwimMessage): void {
    this.messages++
    place.messagesSent++
    this.#options.sent?.(place.id, to, message, this.nowMs)
    const target = this.#places.get(to)
    const { cut, delayMs } = this.#options
    if (target === undefined || cut?.(place.id, to) === true) return
    if (this.#side !== undefined && this.#side(place.id) !== this.#side(to)) return
    const copies = this.#random.chance(this.#loss) ? 0 : this.#random.chance(this.#doubled) ? 2 : 1
    const replyTo = place.id
    for (let i = 0; i < copies; i++) {
      const latencyMs = this.#random.between(...this.#latency) + (delayMs?.(place.id, to) ?? 0)
      const leftMs = Math.max(this.nowMs, place.heldUntilMs)
      this.at(leftMs + latencyMs, () => this.#deliver(target, { type: 'receive', message, replyTo }))
    }
  }

  #deliver(target: Place, event: SwimEvent): void {
    if (target.heldUntilMs <= this.nowMs) this.#step(target, event)
    else this.at(target.heldUntilMs, () => this.#deliver(target, event))
  }
}
