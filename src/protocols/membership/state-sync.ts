import { claimBytes, isLive } from './claim.ts'
import type { Claims } from './claims.ts'
import { type Core, headBytes } from './core.ts'
import type { MemberRecord } from './member-record.ts'
import type { Namesake } from './namesake.ts'
import type { Claim, MemberId, Page, Sync } from './types.ts'

/** Whole states given in one period; whoever asks later asks again. */
const statesPerPeriodMax = 8
const seedsAskedMax = 16

/**
 * Hands whole states over: at the join, and again and again between two at random, for what no news has brought (a member that was cut off, news that was lost each time). Members
 * that have failed are looked for too: so two halves of a group find together again.
 */
export class StateSync {
  readonly #core: Core
  readonly #claims: Claims
  readonly #namesake: Namesake
  #seeds: readonly string[] = []
  /** Addresses to join at which no member is known yet. */
  #unmet: readonly string[] = []
  #joinMs = Number.POSITIVE_INFINITY
  #joinAttempts = 0
  #syncMs: number
  #reconnectMs: number
  /** It knew nobody when it asked to join: until then what it is told is news to nobody else. */
  #newUntilMs = 0
  /** Syncs that follow a join at once: pages of the first one may have been lost. */
  #owed = 0
  #given = 0
  #givenSinceMs = 0

  constructor(core: Core, claims: Claims, namesake: Namesake) {
    const { nowMs, random, options } = core
    this.#core = core
    this.#claims = claims
    this.#namesake = namesake
    this.#syncMs = nowMs + options.syncIntervalMs * (0.5 + random.float() / 2)
    this.#reconnectMs = nowMs + options.reconnectIntervalMs * (0.5 + random.float() / 2)
  }

  get dueMs(): number {
    return Math.min(this.#joinMs, this.#syncMs, this.#reconnectMs)
  }

  join(addresses: readonly string[]): void {
    this.#seeds = addresses
    this.#unmet = addresses.filter((address) => address !== this.#core.self.details.address)
    this.#joinAttempts = 0
    this.#joinMs = addresses.length === 0 ? Number.POSITIVE_INFINITY : this.#core.nowMs
    this.tick()
  }

  tick(): void {
    const { nowMs, options } = this.#core
    if (nowMs >= this.#joinMs) this.#askSeeds()
    if (nowMs >= this.#syncMs) {
      const isOwed = this.#owed > 0 && this.#owed-- > 0
      this.#syncMs = nowMs + this.#jittered(isOwed ? options.probeIntervalMs : options.syncIntervalMs)
      const [id] = this.#core.order.some(1, () => true)
      if (id !== undefined) this.ask(this.#core.records.get(id) as MemberRecord)
    }
    if (nowMs >= this.#reconnectMs) {
      this.#reconnectMs = nowMs + this.#jittered(options.reconnectIntervalMs)
      this.#lookForOneThatIsMissing()
    }
  }

  ask(record: MemberRecord): void {
    this.askAt(record.details.address, this.#core.buddyClaim(record))
  }

  askAt(address: string, first?: Claim): void {
    this.#core.send(address, { type: 'sync', digest: this.#core.digest }, first)
  }

  asked({ digest }: Sync, replyTo: string): void {
    if (digest === this.#core.digest) {
      this.#core.sendWith(replyTo, { type: 'page', wantsBack: false }, [this.#core.self])
    } else this.#give(replyTo, true)
  }

  received({ from, wantsBack, claims }: Page, replyTo: string): void {
    const wasJoining = this.#joinMs < Number.POSITIVE_INFINITY
    const rival = wasJoining ? this.#rivalIn(claims) : undefined
    // The join is tried again until that is settled.
    if (rival !== undefined && this.#namesake.mustWaitFor(rival)) return
    const { nowMs, options, order } = this.#core
    if (wasJoining && order.size === 0) this.#newUntilMs = nowMs + 3 * options.probeIntervalMs
    this.#answered()
    this.#claims.isNewHere = nowMs < this.#newUntilMs
    this.#claims.takeState(claims)
    this.#claims.isNewHere = false
    if (wantsBack) this.#give(replyTo, false)
    if (wasJoining) this.#joined(from)
  }

  /** Where another lives, or has lived until just now, by this member's name. */
  #rivalIn(claims: readonly Claim[]): string | undefined {
    const { id, details } = this.#core.self
    const claim = claims.find((each) => each.id === id && isLive(each))
    return claim?.details?.address === details.address ? undefined : claim?.details?.address
  }

  #joined(by: MemberId): void {
    const { nowMs, options } = this.#core
    this.#owed = 2
    this.#syncMs = nowMs + this.#jittered(options.probeIntervalMs)
    // The group is told of this member by itself too, not only by the one it has asked.
    this.#core.news.add(this.#core.self)
    this.#core.emit({ type: 'joined', by })
  }

  #answered(): void {
    this.#joinMs = Number.POSITIVE_INFINITY
    this.#seeds = []
  }

  #askSeeds(): void {
    const { nowMs, options } = this.#core
    this.#joinAttempts++
    this.#joinMs = nowMs + this.#jittered(options.probeIntervalMs * Math.min(8, this.#joinAttempts))
    const from = (this.#joinAttempts - 1) * seedsAskedMax
    const count = Math.min(seedsAskedMax, this.#seeds.length)
    for (let i = 0; i < count; i++) this.askAt(this.#seeds[(from + i) % this.#seeds.length] as string)
  }

  #lookForOneThatIsMissing(): void {
    const { records, random } = this.#core
    const all = [...records.values()]
    const known = new Set(all.map(({ details }) => details.address))
    this.#unmet = this.#unmet.filter((address) => !known.has(address))
    const failed = all.filter(({ claim }) => claim.state === 'failed')
    const missing = failed.length + this.#unmet.length
    if (missing === 0) return
    const choice = random.integer(0, missing - 1)
    const record = failed[choice]
    if (record === undefined) this.askAt(this.#unmet[choice - failed.length] as string)
    else this.ask(record)
  }

  #give(to: string, wantsBack: boolean): void {
    if (!this.#mayGive()) return
    const core = this.#core
    const room = core.options.messageBytesMax - headBytes(core.options.id, { type: 'page', wantsBack })
    let page: Claim[] = []
    let bytes = 0
    let isFirst = true
    const flush = (): void => {
      core.sendWith(to, { type: 'page', wantsBack: wantsBack && isFirst }, page)
      isFirst = false
      page = []
      bytes = 0
    }
    for (const claim of this.#all()) {
      const size = claimBytes(claim)
      if (bytes + size > room) flush()
      page.push(claim)
      bytes += size
    }
    flush()
  }

  *#all(): Generator<Claim> {
    yield this.#core.self
    for (const record of this.#core.records.values()) yield record.whole
  }

  #mayGive(): boolean {
    const { nowMs, options } = this.#core
    if (nowMs - this.#givenSinceMs >= options.probeIntervalMs) {
      this.#givenSinceMs = nowMs
      this.#given = 0
    }
    return this.#given++ < statesPerPeriodMax
  }

  #jittered(ms: number): number {
    return ms * (0.75 + this.#core.random.float() / 2)
  }
}
