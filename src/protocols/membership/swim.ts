import { unreachable } from '../../base/assert.ts'
import type { Random } from '../../contracts/world.ts'
import { Claims } from './claims.ts'
import { Core } from './core.ts'
import { Namesake } from './namesake.ts'
import { OwnHealth } from './own-health.ts'
import { Prober } from './prober.ts'
import { Relays } from './relays.ts'
import { StateSync } from './state-sync.ts'
import {
  type MemberId,
  type MemberView,
  type SwimEffect,
  type SwimEvent,
  type SwimMessage,
  type SwimOptions,
  type SwimStats,
  swimDefaults,
  swimTimes,
} from './types.ts'
import { validateSwimOptions } from './validate-options.ts'

/**
 * One member of a group that keeps watch over itself, as a pure machine: SWIM (Das, Gupta, Motivala 2002, with suspicion, round-robin probes and infection-style dissemination) with
 * the refinements of Lifeguard (Dadgar, Phillips, Currey 2018), and two of ours: no verdicts after a stall of one's own, and members that are slow are degraded, not
 * suspect. Events in, effects out; no I/O, no clock, no promise.
 *
 *     event ──> step ──┬─ Prober       ping, ping request, verdict          ┐
 *                      ├─ Relays       pings for others, nack               ├─ Claims ──> what holds of whom, news
 *                      ├─ StateSync    join, whole states, lost halves      ┘
 *                      ├─ Namesake     which of two with one name stays
 *                      └─ OwnHealth    what this member says of itself
 *
 * It tells who answers. Who belongs to a group, and who may decide anything, is not for it to say: two sides of a partition both take the other for failed.
 */
export class Swim {
  readonly options: SwimOptions
  readonly #core: Core
  readonly #claims: Claims
  readonly #prober: Prober
  readonly #relays: Relays
  readonly #sync: StateSync
  readonly #health: OwnHealth
  readonly #namesake: Namesake
  #forgetMs: number
  #isLeaveTold = false

  /** `random` is drawn from as long as the machine lives. Throws `invalid-argument`. `nowMs`: monotonic time. */
  constructor(
    options: Partial<SwimOptions> & Pick<SwimOptions, 'id' | 'address'>,
    random: Random,
    nowMs: number,
  ) {
    const { probeIntervalMs, probeTimeoutMs } = { ...swimDefaults, ...options }
    const times = swimTimes(probeIntervalMs, probeTimeoutMs)
    this.options = validateSwimOptions({ ...swimDefaults, ...times, ...options })
    this.#core = new Core(this.options, random, nowMs)
    this.#namesake = new Namesake(this.#core, () => this.#prober.nextSeq())
    this.#claims = new Claims(this.#core, (address) => this.#namesake.ask(address))
    this.#prober = new Prober(this.#core, this.#claims)
    this.#relays = new Relays(this.#core)
    this.#sync = new StateSync(this.#core, this.#claims, this.#namesake)
    this.#health = new OwnHealth(this.#core, this.#claims)
    this.#forgetMs = nowMs + this.options.forgetMs / 2
  }

  /** When the next `tick` is to be stepped; it may change with each step. */
  get dueMs(): number {
    const { self, suspects, recovering } = this.#core
    if (self.state === 'left' || this.#namesake.hasYielded) return Number.POSITIVE_INFINITY
    let dueMs = Math.min(this.#prober.dueMs, this.#relays.dueMs, this.#sync.dueMs, this.#forgetMs)
    for (const { suspicion } of suspects) dueMs = Math.min(dueMs, suspicion?.dueMs ?? dueMs)
    for (const { recoveredUntilMs } of recovering) dueMs = Math.min(dueMs, recoveredUntilMs)
    return dueMs
  }

  /** Handles one event. `nowMs` never goes back. */
  step(event: SwimEvent, nowMs: number): SwimEffect[] {
    const core = this.#core
    if (this.#namesake.hasYielded) return []
    const lateMs = nowMs - this.dueMs
    core.begin(nowMs)
    const hasStalled = lateMs > this.options.stallMs
    if (hasStalled) this.#stalled(lateMs)
    this.#handle(event, !hasStalled)
    if (core.self.state === 'alive') this.#health.settle()
    return core.end()
  }

  get stats(): SwimStats {
    return this.#core.stats
  }

  /** This member as it shows itself. */
  get self(): MemberView {
    const { self, health } = this.#core
    const { id, incarnation, details, state } = self
    return {
      id,
      address: details.address,
      tags: details.tags,
      state: state === 'left' ? 'left' : details.degraded === '' ? 'alive' : 'degraded',
      sinceMs: this.#core.selfSinceMs,
      incarnation,
      degraded: details.degraded,
      suspectedBy: [],
      roundTripMs: undefined,
      healthScore: health.score,
    }
  }

  /** All others that are known, those that failed or left lately too. */
  *members(): Generator<MemberView> {
    for (const record of this.#core.records.values()) yield record.view(this.#core.nowMs)
  }

  member(id: MemberId): MemberView | undefined {
    return this.#core.records.get(id)?.view(this.#core.nowMs)
  }

  /** Members that are believed to live, this one included. */
  get size(): number {
    return this.#core.size
  }

  /** Pieces of news that this member still passes on. */
  get newsSize(): number {
    return this.#core.news.size
  }

  #handle(event: SwimEvent, isTimely: boolean): void {
    const core = this.#core
    if (core.self.state === 'left' && event.type !== 'receive') return
    switch (event.type) {
      case 'tick':
        this.#tick()
        return
      case 'receive':
        if (event.message.from === core.options.id) this.#namesake.heard(event.message, event.replyTo)
        else this.#receive(event.message, event.replyTo, isTimely)
        return
      case 'join':
        this.#sync.join(event.addresses)
        return
      case 'leave':
        this.#leave()
        return
      case 'setTags':
        this.#claims.setDetails({ ...core.self.details, tags: event.tags })
        return
      case 'setHealth':
        this.#health.say(event.degraded)
        return
      case 'introduce':
        this.#introduce(event.id, event.address)
        return
      case 'remove': {
        const record = core.records.get(event.id)
        if (record !== undefined) this.#claims.forget(record)
        return
      }
      default:
        unreachable(event)
    }
  }

  #tick(): void {
    this.#claims.settle()
    this.#relays.tick()
    this.#prober.tick()
    this.#sync.tick()
    this.#settleRecovered()
    if (this.#core.nowMs >= this.#forgetMs) this.#forgetEnded()
  }

  #receive(message: SwimMessage, replyTo: string, isTimely: boolean): void {
    const core = this.#core
    if (message.type !== 'page') this.#claims.takeRumours(message.claims)
    if (core.self.state === 'left') return
    if (message.type === 'ping' || message.type === 'ack') {
      const record = core.records.get(message.from)
      if (record !== undefined) record.score = message.score
    }
    switch (message.type) {
      case 'ping':
        this.#pinged(message.seq, message.to, message.from, replyTo)
        return
      case 'ack':
        if (!this.#relays.acked(message)) this.#prober.acked(message, isTimely)
        return
      case 'pingRequest':
        this.#relays.begin(message, replyTo, this.#prober.nextSeq())
        return
      case 'nack':
        this.#prober.nacked(message)
        return
      case 'slow':
        this.#health.reportedSlow(message.from)
        return
      case 'sync':
        this.#sync.asked(message, replyTo)
        return
      case 'page':
        this.#sync.received(message, replyTo)
        return
      case 'gossip':
        return
      default:
        unreachable(message)
    }
  }

  #pinged(seq: number, to: MemberId, from: MemberId, replyTo: string): void {
    const core = this.#core
    if (to !== core.options.id) return
    const record = core.records.get(from)
    // One that calls from elsewhere hears where it is said to be: it may share its name with another.
    const elsewhere = record?.isLive === true && record.details.address !== replyTo ? record.whole : undefined
    core.send(replyTo, { type: 'ack', seq, score: core.health.score }, core.buddyClaim(record) ?? elsewhere)
    // It knows this member, but not the other way round: it came while this one was cut off, or was forgotten.
    if (record === undefined) this.#sync.askAt(replyTo)
  }

  #stalled(lateMs: number): void {
    const core = this.#core
    core.stats.stalls++
    this.#health.stalled(lateMs)
    if (!core.options.refinements.stallAware) return
    core.health.change(1)
    this.#prober.stalled()
    for (const { suspicion } of core.suspects) suspicion?.grant(lateMs)
  }

  #introduce(id: MemberId, address: string): void {
    const core = this.#core
    const record = core.records.get(id)
    if (id === core.options.id || record?.details.address === address) return
    if (record !== undefined) this.#claims.forget(record)
    // Whoever introduced it here has told the others too.
    this.#claims.isNewHere = true
    this.#claims.take({
      id,
      incarnation: 0,
      state: 'alive',
      by: '',
      details: { address, tags: {}, degraded: '' },
    })
    this.#claims.isNewHere = false
  }

  /** Others hear of it at once: this member may be gone before its next period. */
  #leave(): void {
    const core = this.#core
    core.restate({ state: 'left' })
    const { self, transmissions } = core
    for (const id of core.order.some(transmissions, () => true)) {
      const record = core.records.get(id)
      if (record !== undefined) core.send(record.details.address, { type: 'gossip' }, self)
    }
    if (!this.#isLeaveTold) core.emit({ type: 'leaveTold' })
    this.#isLeaveTold = true
  }

  #settleRecovered(): void {
    const { recovering, nowMs } = this.#core
    for (const record of [...recovering]) {
      if (record.recoveredUntilMs > nowMs) continue
      recovering.delete(record)
      this.#core.changed(record)
    }
  }

  #forgetEnded(): void {
    const { records, nowMs } = this.#core
    const { forgetMs } = this.options
    this.#forgetMs = nowMs + forgetMs / 2
    for (const record of [...records.values()]) {
      if (record.endedMs > 0 && nowMs - record.endedMs >= forgetMs) this.#claims.forget(record)
    }
  }
}
