import type { Claims } from './claims.ts'
import type { Core } from './core.ts'
import type { MemberRecord } from './member-record.ts'
import type { Ack, MemberId, Nack } from './types.ts'

interface Probe {
  readonly seq: number
  readonly target: MemberId
  readonly sentMs: number
  readonly indirectMs: number
  readonly endMs: number
  helpers: readonly MemberId[]
  readonly silent: Set<MemberId>
  isAsked: boolean
  isAnswered: boolean
}

/** Probes that are over, whose answers may still come: they tell a slow member from a dead one. */
const pastMax = 16

/**
 * The failure detector (section 3 of the SWIM paper): in each period one member is pinged; without an answer in time others are asked to ping it; without any until
 * the end of the period it is suspected. With LHA-Probe both times grow while this member has reason to doubt itself.
 */
export class Prober {
  readonly #core: Core
  readonly #claims: Claims
  readonly #past = new Map<number, { readonly target: MemberId; readonly sentMs: number }>()
  #probe: Probe | undefined
  #nextMs: number
  #seq: number

  constructor(core: Core, claims: Claims) {
    this.#core = core
    this.#claims = claims
    // The members' periods begin at different times.
    this.#nextMs = core.nowMs + core.random.float() * core.options.probeIntervalMs
    this.#seq = core.random.integer(1, 2 ** 31)
  }

  get dueMs(): number {
    const probe = this.#probe
    if (probe === undefined || probe.isAnswered || probe.isAsked) return this.#nextMs
    return Math.min(probe.indirectMs, this.#nextMs)
  }

  /** A number for a question to which an answer is awaited; no other question of this life has it. */
  nextSeq(): number {
    this.#seq = this.#seq >= 2 ** 32 - 1 ? 1 : this.#seq + 1
    return this.#seq
  }

  tick(): void {
    const { nowMs } = this.#core
    const probe = this.#probe
    if (probe !== undefined && !probe.isAnswered && !probe.isAsked && nowMs >= probe.indirectMs)
      this.#askOthers(probe)
    if (nowMs < this.#nextMs) return
    if (probe !== undefined) this.#judge(probe)
    this.#begin()
  }

  /** This member stood still: whether an answer came in time cannot be told. */
  stalled(): void {
    const { nowMs, options, random } = this.#core
    if (this.#probe !== undefined) this.#keep(this.#probe)
    this.#probe = undefined
    this.#nextMs = nowMs + random.float() * options.probeTimeoutMs
  }

  /** `isTimely`: the answer was not held up on this side. */
  acked({ from, seq }: Ack, isTimely: boolean): void {
    const probe = this.#probe
    if (probe?.seq !== seq) {
      this.#ackedLate(from, seq, isTimely)
      return
    }
    if (from !== probe.target && !probe.helpers.includes(from)) return
    const record = this.#core.records.get(probe.target)
    if (from === probe.target && record !== undefined && isTimely && !probe.isAnswered)
      this.#measure(record, probe.sentMs)
    if (!probe.isAnswered) this.#core.health.change(-1)
    probe.isAnswered = true
  }

  nacked({ from, seq }: Nack): void {
    if (this.#probe?.seq === seq) this.#probe.silent.delete(from)
  }

  #begin(): void {
    const core = this.#core
    const { probeIntervalMs, probeTimeoutMs } = core.options
    const { multiplier } = core.health
    this.#probe = undefined
    this.#nextMs = core.nowMs + probeIntervalMs * multiplier
    const target = core.order.next()
    const record = target === undefined ? undefined : core.records.get(target)
    if (record === undefined) {
      // Nobody to learn from: what was held against oneself fades.
      core.health.change(-1)
      return
    }
    const seq = this.nextSeq()
    this.#probe = {
      seq,
      target: record.id,
      sentMs: core.nowMs,
      indirectMs: core.nowMs + probeTimeoutMs * multiplier,
      endMs: this.#nextMs,
      helpers: [],
      silent: new Set(),
      isAsked: false,
      isAnswered: false,
    }
    core.stats.probes++
    const ping = { type: 'ping', seq, to: record.id, score: core.health.score } as const
    core.send(record.details.address, ping, core.buddyClaim(record))
  }

  #askOthers(probe: Probe): void {
    const core = this.#core
    probe.isAsked = true
    const record = core.records.get(probe.target)
    if (record?.isLive !== true) return
    const isFit = (id: MemberId): boolean =>
      id !== probe.target && core.records.get(id)?.claim.state === 'alive'
    probe.helpers = core.order.some(core.options.indirectProbes, isFit)
    for (const id of probe.helpers) {
      const helper = core.records.get(id)
      if (helper === undefined) continue
      probe.silent.add(id)
      core.stats.indirectProbes++
      const target = { target: probe.target, targetAddress: record.details.address }
      core.send(
        helper.details.address,
        { type: 'pingRequest', seq: probe.seq, ...target },
        core.buddyClaim(helper),
      )
    }
  }

  #judge(probe: Probe): void {
    const core = this.#core
    this.#keep(probe)
    if (probe.isAnswered) return
    const record = core.records.get(probe.target)
    if (record?.isLive !== true) return
    core.stats.probesFailed++
    // Helpers that say that they heard nothing either show that this member is heard; each that is silent is held against it (as memberlist does).
    core.health.change(probe.helpers.length === 0 ? 1 : probe.silent.size)
    this.#claims.suspect(record)
  }

  #keep({ seq, target, sentMs, isAnswered }: Probe): void {
    if (isAnswered) return
    this.#past.set(seq, { target, sentMs })
    for (const oldest of this.#past.keys()) {
      if (this.#past.size <= pastMax) break
      this.#past.delete(oldest)
    }
  }

  #ackedLate(from: MemberId, seq: number, isTimely: boolean): void {
    const past = this.#past.get(seq)
    if (past?.target !== from) return
    this.#past.delete(seq)
    const record = this.#core.records.get(from)
    if (record !== undefined && isTimely) this.#measure(record, past.sentMs)
  }

  #measure(record: MemberRecord, sentMs: number): void {
    const core = this.#core
    const roundTripMs = core.nowMs - sentMs
    record.answered(roundTripMs, core.options.slowMs)
    if (roundTripMs > core.options.slowMs)
      core.send(record.details.address, { type: 'slow', roundTripMs }, core.buddyClaim(record))
    core.changed(record)
  }
}
