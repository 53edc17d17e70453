import { AlthingError } from '../../contracts/errors.ts'
import type { Store } from '../../contracts/store.ts'
import type { World } from '../../contracts/world.ts'
import { abortedError, closedOr } from '../abortable.ts'
import { Campaign } from './campaign.ts'
import { Conflated } from '../conflated.ts'
import type { CampaignOptions, Candidate, ElectionState, Leader, Leadership } from './election-types.ts'
import { candidateOf, electionKeys, electionView, leaderOf } from './election-view.ts'
import { assertGuarantees, type Guarantee, type Requirements } from '../guarantees.ts'
import { LeaseKeeper } from '../leases/lease-keeper.ts'
import { LeadershipHandle } from './leadership.ts'
import { leaseTtlMs, randomId, shortText } from '../names.ts'
import { followRange } from '../range-follower.ts'
import { readWholeRange } from '../range-pages.ts'

export const electionRequirements: Requirements = {
  recipe: 'election',
  needs: ['linearizable', 'lease-survives-failover', 'server-time', 'fencing', 'watch-resume'],
}

export const electionDefaults = { ttl: '10s' } as const

export interface ElectionServiceOptions {
  readonly store: Store
  readonly world: World
  /** Default: one of its own, closed with the service. */
  readonly keeper?: LeaseKeeper
  readonly accept?: readonly Guarantee[]
}

/**
 * Elections by name: at most one leader per election at each revision of the store, terms that only grow, and candidates that follow
 * in the order in which they came unless the leader names its heir.
 */
export class ElectionService {
  readonly #store: Store
  readonly #world: World
  readonly #keeper: LeaseKeeper
  readonly #ownsKeeper: boolean
  readonly #leaderships = new Set<LeadershipHandle>()
  readonly #closing = new AbortController()

  constructor(options: ElectionServiceOptions) {
    assertGuarantees(options.store, electionRequirements, options)
    this.#store = options.store
    this.#world = options.world
    this.#ownsKeeper = options.keeper === undefined
    this.#keeper = options.keeper ?? new LeaseKeeper(options.store, options.world)
  }

  /** Stands as a candidate and resolves when elected. Survives outages of the store. Rejects with `aborted`, `conflict` or `closed`. */
  async campaign(name: string, options: CampaignOptions = {}): Promise<Leadership> {
    const keys = electionKeys(name)
    const candidate = options.candidate ?? randomId(this.#world)
    keys.candidate(candidate)
    const { signal } = options
    if (signal?.aborted === true) throw abortedError(signal)
    if (this.#closing.signal.aborted) throw this.#closing.signal.reason
    const closing = this.#closing.signal
    const dependencies = { store: this.#store, world: this.#world, keeper: this.#keeper }
    const campaign = new Campaign(dependencies, {
      election: name,
      keys,
      candidate,
      value: shortText('value', options.value, 65_536) ?? '',
      ttlMs: leaseTtlMs('ttl', options.ttl ?? electionDefaults.ttl),
      signal: signal === undefined ? closing : AbortSignal.any([signal, closing]),
    })
    const hold = await campaign.run().catch((error: unknown) => {
      throw closedOr(error, closing, signal)
    })
    const leadership = new LeadershipHandle(
      { store: this.#store, election: name, keys, candidate, electedAtMs: this.#world.clock.wallMs() },
      hold,
      () => this.#leaderships.delete(leadership),
    )
    this.#leaderships.add(leadership)
    return leadership
  }

  /** The leader by a linearizable read; undefined while nobody leads. */
  async leader(name: string, options: { readonly signal?: AbortSignal } = {}): Promise<Leader | undefined> {
    const reply = await this.#store.range({ key: electionKeys(name).leader }, options)
    return leaderOf(reply.kvs[0])
  }

  /** Who waits, in the order in which they will lead. */
  async candidates(
    name: string,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<readonly Candidate[]> {
    const keys = electionKeys(name)
    const { kvs } = await readWholeRange(this.#store, keys.range, options)
    const view = electionView(keys, new Map(kvs.map((kv) => [kv.key, kv])))
    const candidates = view.candidates.map((kv) => candidateOf(keys, kv, view.heir))
    return candidates.sort((a, b) => Number(b.isHeir) - Number(a.isHeir))
  }

  /**
   * The state now and each later change: another leader, none, or another value. In the store's order, so terms only grow. A slow reader, or one
   * that was cut off, skips to the newest: a leader that is known to be gone is never reported as new. Ends with the signal.
   */
  observe(name: string, options: { readonly signal?: AbortSignal } = {}): AsyncIterable<ElectionState> {
    const { leader } = electionKeys(name)
    const start = (ended: AbortSignal): Conflated<ElectionState> => this.#follow(leader, ended)
    const signals = [this.#closing.signal, ...(options.signal === undefined ? [] : [options.signal])]
    return {
      async *[Symbol.asyncIterator]() {
        const reading = new AbortController()
        const states = start(AbortSignal.any([...signals, reading.signal]))
        try {
          yield* states
        } finally {
          reading.abort()
        }
      },
    }
  }

  /** Ends campaigns (`closed`) and observers, and resigns. Idempotent. */
  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return
    this.#closing.abort(new AlthingError('closed', 'the election service was closed', { outcome: 'none' }))
    await Promise.allSettled([...this.#leaderships].map((leadership) => leadership.resign()))
    if (this.#ownsKeeper) await this.#keeper.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #follow(key: string, signal: AbortSignal): Conflated<ElectionState> {
    const states = new Conflated<ElectionState>()
    const following = followRange({
      store: this.#store,
      world: this.#world,
      range: { key, end: `${key}\u0000` },
      signal,
      onState: ({ revision, kvs }) => {
        const leader = leaderOf(kvs.get(key))
        const last = states.latest
        if (last === undefined || !isSameLeader(last.leader, leader)) states.set({ leader, revision })
      },
    })
    following.then(
      () => states.end(),
      (error: unknown) => states.end(error),
    )
    return states
  }
}

function isSameLeader(a: Leader | undefined, b: Leader | undefined): boolean {
  return a?.term === b?.term && a?.value === b?.value
}
