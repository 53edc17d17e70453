import { AlthingError, isAlthingError } from '../../contracts/errors.ts'
import type { KeyValue, Store } from '../../contracts/store.ts'
import type { World } from '../../contracts/world.ts'
import { createDeferred } from '../../base/deferred.ts'
import { abortedError, pause, untilAborted } from '../abortable.ts'
import {
  type ElectionEntry,
  type ElectionKeys,
  electionView,
  encodeElectionEntry,
  isTurnOf,
  takeSeat,
} from './election-view.ts'
import { ExclusiveHold } from '../exclusive-hold.ts'
import type { KeptLease } from '../leases/kept-lease.ts'
import type { LeaseKeeper } from '../leases/lease-keeper.ts'
import { followRange, type RangeState } from '../range-follower.ts'

export interface CampaignRequest {
  readonly election: string
  readonly keys: ElectionKeys
  readonly candidate: string
  readonly value: string
  readonly ttlMs: number
  readonly signal: AbortSignal
}

const retryMs = 500
const cleanupTimeoutMs = 1_000

/**
 * One candidate's campaign. It follows the whole election, which has few keys, and takes the seat when it is free and its turn. When its
 * own lease is lost while it waits (the store was out of reach for longer than the ttl) it stands again, at the end of the line.
 */
export class Campaign {
  readonly #store: Store
  readonly #world: World
  readonly #keeper: LeaseKeeper
  readonly #request: CampaignRequest
  #hasStood = false

  constructor(
    dependencies: { readonly store: Store; readonly world: World; readonly keeper: LeaseKeeper },
    request: CampaignRequest,
  ) {
    this.#store = dependencies.store
    this.#world = dependencies.world
    this.#keeper = dependencies.keeper
    this.#request = request
  }

  /** Resolves with the leadership. Rejects when the signal fires, with `conflict`, or with what trying again cannot mend. */
  async run(): Promise<ExclusiveHold> {
    const { signal } = this.#request
    for (;;) {
      if (signal.aborted) throw abortedError(signal)
      try {
        const hold = await this.#standOnce()
        if (hold !== undefined) return hold
      } catch (error) {
        if (signal.aborted) throw abortedError(signal)
        if (!this.#isPassing(error)) throw error
        this.#world.logger.log('debug', 'a campaign is interrupted', { error: String(error) })
      }
      await pause(this.#world, retryMs, signal)
    }
  }

  /** Undefined when the candidacy was lost. */
  async #standOnce(): Promise<ExclusiveHold | undefined> {
    const { signal, ttlMs } = this.#request
    const lease = await this.#keeper.keep(ttlMs, { signal })
    let hold: ExclusiveHold | undefined
    try {
      const own = await untilAborted(this.#enter(lease), signal)
      hold = await this.#waitForTurn(lease, own)
      return hold
    } finally {
      if (hold === undefined) await this.#leave(lease)
    }
  }

  async #enter(lease: KeptLease): Promise<KeyValue> {
    const { keys, candidate } = this.#request
    const key = keys.candidate(candidate)
    const value = encodeElectionEntry(this.#entry())
    const reply = await this.#store.txn({
      compare: [{ target: 'createRevision', key, op: '=', value: 0 }],
      then: [{ op: 'put', key, value, lease: lease.id }],
    })
    if (!reply.succeeded) throw alreadyStanding(this.#request)
    this.#hasStood = true
    const revision = reply.revision
    return { key, value, createRevision: revision, modRevision: revision, version: 1, lease: lease.id }
  }

  async #waitForTurn(lease: KeptLease, own: KeyValue): Promise<ExclusiveHold | undefined> {
    const { keys, signal } = this.#request
    const following = new AbortController()
    const outcome = createDeferred<ExclusiveHold | undefined>()
    const onAbort = (): void => outcome.reject(abortedError(signal))
    const onLost = (): void => outcome.resolve(undefined)
    signal.addEventListener('abort', onAbort, { once: true })
    lease.lost.addEventListener('abort', onLost, { once: true })
    if (signal.aborted) onAbort()
    if (!lease.isValid) onLost()
    const follower = followRange({
      store: this.#store,
      world: this.#world,
      range: keys.range,
      signal: following.signal,
      onState: (state) => {
        void this.#onState(state, lease, own).then((hold) => {
          if (hold !== 'wait') outcome.resolve(hold)
        }, outcome.reject)
      },
    })
    follower.catch(outcome.reject)
    try {
      return await outcome.promise
    } finally {
      following.abort()
      signal.removeEventListener('abort', onAbort)
      lease.lost.removeEventListener('abort', onLost)
    }
  }

  async #onState(
    state: RangeState,
    lease: KeptLease,
    own: KeyValue,
  ): Promise<ExclusiveHold | 'wait' | undefined> {
    const { keys, election } = this.#request
    const view = electionView(keys, state.kvs)
    // The read may show a state before the own entry only if the store is not linearizable, but costs nothing to bear.
    if (state.revision < own.createRevision || !isTurnOf(view, own)) return 'wait'
    const reply = await this.#store.txn(takeSeat(keys, view, own, this.#entry()))
    // Refused: the view was behind. The watch brings what has happened since.
    if (!reply.succeeded) return 'wait'
    // The seat may have been given to a lease that has run out by the own clock meanwhile.
    if (!lease.isValid) return undefined
    return new ExclusiveHold({
      store: this.#store,
      world: this.#world,
      keeper: this.#keeper,
      fence: { key: keys.leader, token: reply.revision },
      lease,
      what: `the leadership of "${election}"`,
    })
  }

  async #leave(lease: KeptLease): Promise<void> {
    try {
      await lease.release({ timeoutMs: cleanupTimeoutMs })
    } catch (error) {
      this.#world.logger.log('debug', 'a candidacy is left to its lease', { error: String(error) })
    }
  }

  #entry(): ElectionEntry {
    const { candidate, value } = this.#request
    return { candidate, value, atMs: this.#world.clock.wallMs() }
  }

  #isPassing(error: unknown): boolean {
    if (!isAlthingError(error)) return false
    // The own former entry lives on until its lease has run out.
    if (error.code === 'conflict') return this.#hasStood
    return error.retryable || error.code === 'lease-not-found' || error.code === 'lost'
  }
}

function alreadyStanding(request: CampaignRequest): AlthingError {
  return new AlthingError(
    'conflict',
    `"${request.candidate}" is a candidate of "${request.election}" already`,
    { outcome: 'none', details: { election: request.election, candidate: request.candidate } },
  )
}
