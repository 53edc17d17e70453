import type { Random } from '../../contracts/world.ts'
import { claimBytes, claimDigest, textBytes } from './claim.ts'
import { Dissemination } from './dissemination.ts'
import { LocalHealth } from './local-health.ts'
import type { MemberRecord } from './member-record.ts'
import { ProbeOrder } from './probe-order.ts'
import type { Claim, MemberDetails, MemberId, SwimEffect, SwimMessage, SwimOptions } from './types.ts'

/** A message before the news that travels with it is chosen. */
export type Bare = SwimMessage extends infer Each
  ? Each extends SwimMessage
    ? Omit<Each, 'from' | 'claims'>
    : never
  : never

/** What all parts of the machine share: the members, the news, the effects of the step under way. */
export class Core {
  readonly options: SwimOptions
  readonly random: Random
  readonly news = new Dissemination()
  readonly health: LocalHealth
  readonly records = new Map<MemberId, MemberRecord>()
  /** Live others. */
  readonly order: ProbeOrder
  readonly suspects = new Set<MemberRecord>()
  readonly recovering = new Set<MemberRecord>()
  readonly stats = {
    probes: 0,
    probesFailed: 0,
    indirectProbes: 0,
    messagesSent: 0,
    suspicions: 0,
    failures: 0,
    refutations: 0,
    stalls: 0,
    refusedMembers: 0,
  }
  nowMs: number
  /** Since when this member is as well, or as degraded, as it says. */
  selfSinceMs: number
  self: Claim & { readonly details: MemberDetails }
  #digest: number
  #effects: SwimEffect[] = []

  constructor(options: SwimOptions, random: Random, nowMs: number) {
    this.options = options
    this.random = random
    this.nowMs = nowMs
    this.selfSinceMs = nowMs
    this.health = new LocalHealth(options.refinements.localHealth ? options.scoreMax : 0)
    this.order = new ProbeOrder(random)
    const { id, incarnation, address, tags } = options
    this.self = { id, incarnation, state: 'alive', by: '', details: { address, tags, degraded: '' } }
    this.#digest = claimDigest(this.self)
  }

  begin(nowMs: number): void {
    this.nowMs = nowMs
  }

  end(): SwimEffect[] {
    const effects = this.#effects
    this.#effects = []
    return effects
  }

  emit(effect: SwimEffect): void {
    this.#effects.push(effect)
  }

  /** Live members, this one included. */
  get size(): number {
    return this.order.size + 1
  }

  /** Of the live members' claims, this one's own among them. */
  get digest(): number {
    return this.#digest
  }

  /** Puts a claim into the digest, or takes it out. */
  digested(claim: Claim): void {
    this.#digest = (this.#digest ^ claimDigest(claim)) >>> 0
  }

  /** How often each piece of news is sent. */
  get transmissions(): number {
    return Math.max(1, Math.ceil(this.options.lambda * Math.log(this.size + 1)))
  }

  /** News of this member itself: it alone makes them. */
  restate(
    change: Partial<Pick<Claim, 'incarnation' | 'state'>> & { readonly details?: MemberDetails },
  ): void {
    this.digested(this.self)
    const { degraded } = change.details ?? this.self.details
    if (degraded !== this.self.details.degraded || change.state === 'left') this.selfSinceMs = this.nowMs
    this.self = { ...this.self, ...change }
    if (this.self.state === 'alive') this.digested(this.self)
    this.news.add(this.self)
  }

  /** Sends with as much news as fits; `first` goes with it in any case, and does not count as told. */
  send(to: string, message: Bare, first?: Claim): void {
    const { id, messageBytesMax } = this.options
    const room = messageBytesMax - headBytes(id, message)
    const claims =
      first === undefined
        ? this.news.take(room, this.transmissions)
        : [first, ...this.news.take(room - claimBytes(first), this.transmissions, first.id)]
    this.sendWith(to, message, claims)
  }

  sendWith(to: string, message: Bare, claims: readonly Claim[]): void {
    this.stats.messagesSent++
    const whole = { ...message, from: this.options.id, claims } as SwimMessage
    this.#effects.push({ type: 'send', to, message: whole })
  }

  /** What the receiver must hear of itself: that it is not taken for alive. */
  buddyClaim(record: MemberRecord | undefined): Claim | undefined {
    if (record === undefined || record.claim.state === 'alive' || record.claim.state === 'left')
      return undefined
    return this.options.refinements.buddy || record.claim.state === 'failed' ? record.claim : undefined
  }

  changed(record: MemberRecord): void {
    const state = record.state(this.nowMs)
    const before = record.shown
    if (state === before) return
    record.shown = state
    record.sinceMs = this.nowMs
    this.#effects.push({ type: 'changed', member: record.view(this.nowMs), before })
  }

  /** The details changed, but not the state. */
  detailsChanged(record: MemberRecord): void {
    if (record.state(this.nowMs) !== record.shown) this.changed(record)
    else this.#effects.push({ type: 'changed', member: record.view(this.nowMs), before: record.shown })
  }
}

/** All of a message but its claims, at most: the numbers and heads take 48 bytes at most. */
export function headBytes(from: MemberId, message: Bare): number {
  const texts =
    message.type === 'ping'
      ? textBytes(message.to)
      : message.type === 'pingRequest'
        ? textBytes(message.target) + textBytes(message.targetAddress)
        : 0
  return 48 + textBytes(from) + texts
}
