import type { Claims } from './claims.ts'
import type { Core } from './core.ts'
import type { MemberId } from './types.ts'

/** The local health score from which a member calls itself degraded, and to which it must fall before it calls itself well. */
const scoreDegraded = 4
const scoreWell = 1
/** Periods for which it counts that another has found this member slow. */
const reportPeriods = 10
const reportsMax = 16
/** So many must have found it slow: one alone may be slow itself. */
const reportersMin = 2

/**
 * What this member says of its own health: slow is not dead. The first of these that holds: what the program says (`setHealth`), a stall of its event loop, that others find its
 * answers late, that its own probes fail.
 */
export class OwnHealth {
  readonly #core: Core
  readonly #claims: Claims
  readonly #reports = new Map<MemberId, number>()
  #said = ''
  #stallUntilMs = 0
  #isDoubtful = false

  constructor(core: Core, claims: Claims) {
    this.#core = core
    this.#claims = claims
  }

  say(degraded: string): void {
    this.#said = degraded
    this.settle()
  }

  stalled(lateMs: number): void {
    const { nowMs, options } = this.#core
    if (lateMs >= options.probeIntervalMs) this.#stallUntilMs = nowMs + options.degradedHoldMs
  }

  reportedSlow(by: MemberId): void {
    if (this.#reports.size >= reportsMax && !this.#reports.has(by)) return
    this.#reports.set(by, this.#core.nowMs)
  }

  settle(): void {
    const { self } = this.#core
    if (self.state !== 'alive') return
    const degraded = this.#reason()
    if (degraded !== self.details.degraded) this.#claims.setDetails({ ...self.details, degraded })
  }

  #reason(): string {
    const { nowMs, health, options, order } = this.#core
    for (const [by, atMs] of this.#reports) {
      if (nowMs - atMs > reportPeriods * options.probeIntervalMs) this.#reports.delete(by)
    }
    this.#isDoubtful = health.score >= (this.#isDoubtful ? scoreWell + 1 : scoreDegraded)
    if (this.#said !== '') return this.#said
    if (nowMs < this.#stallUntilMs) return 'event-loop'
    if (this.#reports.size >= Math.max(1, Math.min(reportersMin, order.size))) return 'response-time'
    return this.#isDoubtful ? 'local-health' : ''
  }
}
