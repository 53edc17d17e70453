export interface OutlierEjectionOptions {
  /** Failures in a row after which an instance is ejected. A refused connection ejects at once. Default 5. */
  readonly failuresMax: number
  /** Length of the first ejection; each one soon after another is twice as long. Default 5 s. */
  readonly ejectMs: number
  /** Default 60 s. */
  readonly ejectMsMax: number
  /** Share of the instances that may be ejected at once (rounded down, but at least one when there are two). Default 0.5. */
  readonly shareMax: number
}

interface Health {
  failures: number
  /** Ejections without a healthy time as long as the ejection itself between them. */
  ejections: number
  /** 0: never ejected. */
  ejectedUntilMs: number
  cause: string
}

export type OutcomeOfAttempt = 'success' | 'failure' | 'refused'

/**
 * Passive health: what real requests show of each instance. An instance that fails is left out for a while, then tried again with real
 * traffic. The last instance is never ejected: a poor one is better than none. Pure: time is given.
 */
export class OutlierEjection {
  readonly #options: OutlierEjectionOptions
  readonly #health = new Map<string, Health>()

  constructor(options: OutlierEjectionOptions) {
    this.#options = options
  }

  /** Forgets all but these. */
  retain(instanceIds: ReadonlySet<string>): void {
    for (const id of this.#health.keys()) if (!instanceIds.has(id)) this.#health.delete(id)
    for (const id of instanceIds) {
      if (!this.#health.has(id))
        this.#health.set(id, { failures: 0, ejections: 0, ejectedUntilMs: 0, cause: '' })
    }
  }

  /** The instance is another process now: what the one before did is not held against it. */
  forget(instanceId: string): void {
    this.#health.delete(instanceId)
  }

  isEjected(instanceId: string, nowMs: number): boolean {
    return (this.#health.get(instanceId)?.ejectedUntilMs ?? 0) > nowMs
  }

  /** While ejected: until when and why. */
  ejection(
    instanceId: string,
    nowMs: number,
  ): { readonly untilMs: number; readonly cause: string } | undefined {
    const health = this.#health.get(instanceId)
    if (health === undefined || health.ejectedUntilMs <= nowMs) return undefined
    return { untilMs: health.ejectedUntilMs, cause: health.cause }
  }

  /** True when the instance has been ejected by this. */
  record(instanceId: string, outcome: OutcomeOfAttempt, cause: string, nowMs: number): boolean {
    const health = this.#health.get(instanceId)
    if (health === undefined) return false
    if (outcome === 'success') {
      health.failures = 0
      if (nowMs - health.ejectedUntilMs > this.#lengthOf(health.ejections)) health.ejections = 0
      return false
    }
    health.failures += 1
    if (outcome === 'failure' && health.failures < this.#options.failuresMax) return false
    if (health.ejectedUntilMs > nowMs || !this.#mayEject(nowMs)) return false
    health.ejections += 1
    health.ejectedUntilMs = nowMs + this.#lengthOf(health.ejections)
    health.failures = 0
    health.cause = cause
    return true
  }

  #mayEject(nowMs: number): boolean {
    const total = this.#health.size
    if (total < 2) return false
    let ejected = 0
    for (const health of this.#health.values()) if (health.ejectedUntilMs > nowMs) ejected += 1
    const allowed = Math.min(total - 1, Math.max(1, Math.floor(total * this.#options.shareMax)))
    return ejected < allowed
  }

  #lengthOf(ejections: number): number {
    const doublings = Math.min(20, Math.max(0, ejections - 1))
    return Math.min(this.#options.ejectMsMax, this.#options.ejectMs * 2 ** doublings)
  }
}
