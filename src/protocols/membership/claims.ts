import { compareClaims, equalDetails, isLive } from './claim.ts'
import type { Core } from './core.ts'
import { MemberRecord } from './member-record.ts'
import { Suspicion } from './suspicion.ts'
import { type Claim, type MemberDetails, type MemberId, membershipLimits } from './types.ts'

/** Times in a row that another process has claimed this member's name, after which it is no leftover of an earlier life. */
const rivalClaimsMax = 3

/** Takes in what is claimed of members, by others and by this one, and passes on what is news. */
export class Claims {
  readonly #core: Core
  readonly #rivalAt: (address: string) => void
  /** Members that are met now are known to all others already. */
  isNewHere = false
  #rivalClaims = 0
  #rivalSinceMs = 0

  /** `rivalAt` hears where another is said to go by this member's name. */
  constructor(core: Core, rivalAt: (address: string) => void) {
    this.#core = core
    this.#rivalAt = rivalAt
  }

  /** Each by itself: a claim that is stale, or of a member that cannot be taken in, changes nothing. */
  takeRumours(claims: readonly Claim[]): void {
    for (const claim of claims) this.take(claim)
  }

  /** Another member's whole state. What it takes for failed this one only suspects, so that it can be refuted (as memberlist does). */
  takeState(claims: readonly Claim[]): void {
    for (const claim of claims) {
      const record = this.#core.records.get(claim.id)
      if (claim.state === 'failed' && record?.isLive === true) {
        this.#learnDetails(record, claim)
        this.take({ ...claim, state: 'suspect' })
      } else this.take(claim)
    }
  }

  take(claim: Claim): void {
    if (claim.incarnation >= membershipLimits.incarnationMax) return
    if (claim.id === this.#core.options.id) {
      this.#takeOfSelf(claim)
      return
    }
    const record = this.#core.records.get(claim.id)
    if (record === undefined) this.#takeOfStranger(claim)
    else this.#takeOfKnown(record, claim)
  }

  /** This member's own finding: no answer from `record`. */
  suspect(record: MemberRecord): void {
    const { id, incarnation, state } = record.claim
    if (state === 'alive') this.#core.stats.suspicions++
    this.take({ id, incarnation, state: 'suspect', by: this.#core.options.id })
  }

  /** Suspicions that nobody has refuted in time. */
  settle(): void {
    const { suspects, stats, options, nowMs } = this.#core
    for (const record of [...suspects]) {
      if (record.suspicion === undefined || record.suspicion.dueMs > nowMs) continue
      const { id, incarnation } = record.claim
      stats.failures++
      this.take({ id, incarnation, state: 'failed', by: options.id })
    }
  }

  /** A new incarnation, which overrules what is said. */
  refute(incarnation: number): void {
    this.#core.stats.refutations++
    this.#core.restate({ incarnation: incarnation + 1 })
  }

  setDetails(details: MemberDetails): void {
    const { self } = this.#core
    if (!equalDetails(self.details, details))
      this.#core.restate({ incarnation: self.incarnation + 1, details })
  }

  forget(record: MemberRecord): void {
    const core = this.#core
    if (record.isLive) core.digested(record.claim)
    core.records.delete(record.id)
    core.order.remove(record.id)
    core.suspects.delete(record)
    core.recovering.delete(record)
    core.news.remove(record.id)
    core.emit({ type: 'forgotten', id: record.id })
  }

  #takeOfSelf(claim: Claim): void {
    const { self, health } = this.#core
    // That it has left is the last that this life says.
    if (self.state !== 'alive' || claim.incarnation < self.incarnation) return
    if (claim.state === 'suspect' || claim.state === 'failed') health.change(1)
    else if (claim.state === 'alive' && this.#isOwn(claim)) return
    this.refute(claim.incarnation)
  }

  /** The claim is what this member says. Otherwise it is left over from an earlier life, or there is another that goes by its name. */
  #isOwn({ incarnation, details }: Claim): boolean {
    const { self, nowMs, options } = this.#core
    if (details === undefined) return true
    if (incarnation === self.incarnation && equalDetails(details, self.details)) return true
    if (details.address !== self.details.address) {
      this.#rivalAt(details.address)
      this.#countRival(details.address, nowMs, options.probeIntervalMs)
    }
    return false
  }

  #countRival(address: string, nowMs: number, intervalMs: number): void {
    if (nowMs - this.#rivalSinceMs > 60 * intervalMs) {
      this.#rivalSinceMs = nowMs
      this.#rivalClaims = 0
    }
    if (++this.#rivalClaims === rivalClaimsMax) this.#core.emit({ type: 'conflict', address, yields: false })
  }

  #takeOfStranger(claim: Claim): void {
    const core = this.#core
    const { details } = claim
    // One that has ended, and of whom nothing is known, is none of this member's.
    if (details === undefined || !isLive(claim) || !this.#hasRoom()) return
    const alive: Claim = { id: claim.id, incarnation: claim.incarnation, state: 'alive', by: '' }
    const record = new MemberRecord(alive, details, core.nowMs)
    core.records.set(claim.id, record)
    core.order.add(claim.id)
    core.digested(alive)
    if (!this.isNewHere) core.news.add({ ...alive, details })
    core.changed(record)
    if (claim.state === 'suspect') this.#takeOfKnown(record, claim)
  }

  #takeOfKnown(record: MemberRecord, claim: Claim): void {
    const order = compareClaims(claim, record.claim)
    if (order === 0) this.#confirm(record, claim)
    if (order <= 0) return
    const core = this.#core
    const { id, incarnation, state, by } = claim
    const wasLive = record.isLive
    if (state === 'alive' && claim.details === undefined) return
    if (wasLive) core.digested(record.claim)
    const isRestated = !this.#learnDetails(record, claim)
    record.claim = { id, incarnation, state, by }
    if (record.isLive) core.digested(record.claim)
    if (state === 'suspect') this.#beginSuspicion(record, by)
    else this.#endSuspicion(record)
    if (wasLive !== record.isLive) this.#cameOrWent(record)
    core.news.add(state === 'alive' ? record.whole : record.claim)
    if (isRestated) core.detailsChanged(record)
    else core.changed(record)
  }

  /** `true`: they are what they were. */
  #learnDetails(record: MemberRecord, { details, incarnation }: Claim): boolean {
    if (
      details === undefined ||
      incarnation < record.claim.incarnation ||
      equalDetails(details, record.details)
    )
      return true
    record.details = details
    return false
  }

  #cameOrWent(record: MemberRecord): void {
    const core = this.#core
    if (!record.isLive) {
      record.endedMs = core.nowMs
      core.order.remove(record.id)
      core.recovering.delete(record)
      return
    }
    record.endedMs = 0
    record.recoveredUntilMs = core.nowMs + core.options.recoveredMs
    core.recovering.add(record)
    core.order.add(record.id)
  }

  #confirm(record: MemberRecord, { state, by }: Claim): void {
    if (state !== 'suspect' || record.suspicion?.confirm(by) !== true) return
    // The first few confirmations travel as far as the suspicion itself.
    record.claim = { ...record.claim, by }
    this.#core.news.add(record.claim)
  }

  #beginSuspicion(record: MemberRecord, by: MemberId): void {
    const { nowMs, suspects } = this.#core
    record.suspicion = new Suspicion(by, nowMs, this.#suspicionBounds())
    suspects.add(record)
  }

  #endSuspicion(record: MemberRecord): void {
    record.blamedBy = record.claim.state === 'failed' ? (record.suspicion?.by ?? [record.claim.by]) : []
    record.suspicion = undefined
    this.#core.suspects.delete(record)
  }

  #suspicionBounds() {
    const { options, size } = this.#core
    const { suspicionAlpha, suspicionBeta, suspicionConfirmations, probeIntervalMs } = options
    const minMs = suspicionAlpha * Math.max(1, Math.log10(size)) * probeIntervalMs
    // Besides this member and the suspect there must be enough who could confirm.
    const isDynamic = options.refinements.dynamicSuspicion && size - 2 >= suspicionConfirmations
    return { minMs, maxMs: suspicionBeta * minMs, confirmations: isDynamic ? suspicionConfirmations : 0 }
  }

  #hasRoom(): boolean {
    const core = this.#core
    if (core.records.size + 1 < core.options.membersMax) return true
    let oldest: MemberRecord | undefined
    for (const record of core.records.values()) {
      if (record.endedMs > 0 && (oldest === undefined || record.endedMs < oldest.endedMs)) oldest = record
    }
    if (oldest === undefined) {
      core.stats.refusedMembers++
      return false
    }
    this.forget(oldest)
    return true
  }
}
