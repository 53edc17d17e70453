import type { Duration } from '../../base/duration.ts'
import { AlthingError } from '../../contracts/errors.ts'
import type { Leadership } from '../election/election-types.ts'
import type { ElectionService } from '../election/election.ts'
import {
  type ElectedTerm,
  type Elector,
  electorGuarantees,
  type ElectorGuarantees,
  type ElectorLeader,
} from './elector-types.ts'

export interface LockElectorOptions {
  readonly elections: ElectionService
  readonly election: string
  readonly node: string
  readonly ttl?: Duration
}

/** The leased lock of a store (`ElectionService`) behind the contract of all elections. */
export class LockElector implements Elector {
  readonly algorithm = 'lock'
  readonly #options: LockElectorOptions
  readonly #closing = new AbortController()
  readonly #following: Promise<void>
  #leader: ElectorLeader | undefined
  #held: Leadership | undefined
  #isCampaigning = false

  constructor(options: LockElectorOptions) {
    this.#options = options
    this.#following = this.#follow()
  }

  get guarantees(): ElectorGuarantees {
    return electorGuarantees.lock
  }

  get node(): string {
    return this.#options.node
  }

  get leader(): ElectorLeader | undefined {
    return this.#leader
  }

  async campaign({ signal }: { readonly signal?: AbortSignal } = {}): Promise<ElectedTerm> {
    const closing = this.#closing.signal
    if (closing.aborted) throw closing.reason
    if (this.#isCampaigning || this.#held?.isLeader === true)
      throw new AlthingError('conflict', 'this node campaigns or leads already', { outcome: 'none' })
    this.#isCampaigning = true
    try {
      const { elections, election, node, ttl } = this.#options
      const leadership = await elections.campaign(election, {
        candidate: node,
        value: node,
        signal: signal === undefined ? closing : AbortSignal.any([signal, closing]),
        ...(ttl === undefined ? {} : { ttl }),
      })
      this.#held = leadership
      return new LockTerm(leadership)
    } catch (error) {
      throw closing.aborted && signal?.aborted !== true ? closing.reason : error
    } finally {
      this.#isCampaigning = false
    }
  }

  async *observe({
    signal,
  }: {
    readonly signal?: AbortSignal
  } = {}): AsyncGenerator<ElectorLeader | undefined> {
    const { elections, election } = this.#options
    const closing = this.#closing.signal
    const until = signal === undefined ? closing : AbortSignal.any([signal, closing])
    for await (const { leader } of elections.observe(election, { signal: until }))
      yield leader === undefined ? undefined : { node: leader.candidate, term: leader.term }
  }

  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return
    this.#closing.abort(new AlthingError('closed', 'the elector was closed', { outcome: 'none' }))
    await this.#held?.resign().catch(() => {})
    await this.#following
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #follow(): Promise<void> {
    try {
      for await (const leader of this.observe()) this.#leader = leader
    } catch {
      // The store is gone for good: campaigns and observers are told why.
      this.#leader = undefined
    }
  }
}

class LockTerm implements ElectedTerm {
  readonly #leadership: Leadership

  constructor(leadership: Leadership) {
    this.#leadership = leadership
  }

  get node(): string {
    return this.#leadership.candidate
  }

  get term(): number {
    return this.#leadership.term
  }

  get isLeader(): boolean {
    return this.#leadership.isLeader
  }

  get lost(): AbortSignal {
    return this.#leadership.lost
  }

  async resign(): Promise<void> {
    await this.#leadership.resign()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.resign()
  }
}
