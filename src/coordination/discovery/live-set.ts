import { createDeferred } from '../../base/deferred.ts'
import { AlthingError } from '../../contracts/errors.ts'
import type { Store } from '../../contracts/store.ts'
import type { Timer, World } from '../../contracts/world.ts'
import { Conflated } from '../conflated.ts'
import type { LiveSet, LiveSetState } from './discovery-types.ts'
import { serviceRange } from './instance-entry.ts'
import { InstanceList } from './instance-list.ts'
import { followRange } from '../range-follower.ts'

export interface LiveSetOptions {
  readonly store: Store
  readonly world: World
  readonly service: string
  readonly staleAfterMs: number
  readonly onClose: () => void
}

const unknown: LiveSetState = { instances: [], stale: true, revision: 0 }

/** A copy of a service's part of the registry, kept up to date by a watch, and kept when the store is silent. */
export class WatchedLiveSet implements LiveSet {
  readonly service: string
  readonly ready: Promise<void>
  readonly #options: LiveSetOptions
  readonly #states = new Conflated<LiveSetState>()
  readonly #closing = new AbortController()
  readonly #list: InstanceList
  #heardMs = 0
  #revision = 0
  #silence: Timer | undefined

  constructor(options: LiveSetOptions) {
    this.service = options.service
    this.#options = options
    this.#list = new InstanceList(options.world.logger)
    this.#states.set(unknown)
    const ready = createDeferred<void>()
    this.ready = ready.promise
    ready.promise.catch(() => {})
    const following = followRange({
      store: options.store,
      world: options.world,
      range: serviceRange(options.service),
      signal: this.#closing.signal,
      progressMs: Math.ceil(options.staleAfterMs / 3),
      onHeard: (revision) => this.#onHeard(revision),
      onState: (state) => {
        const { revision } = state
        this.#revision = revision
        this.#states.set({ instances: this.#list.take(state), stale: false, revision })
        ready.resolve()
      },
    })
    following.then(
      () => ready.reject(new AlthingError('closed', 'the live set was closed before it was read')),
      (error: unknown) => {
        options.world.logger.log('error', 'a live set cannot follow its service any more', {
          service: options.service,
          error: String(error),
        })
        ready.reject(error)
        this.#markStale()
      },
    )
  }

  /** The revision is the newest up to which the set is known to be right. */
  get current(): LiveSetState {
    const state = this.#states.latest ?? unknown
    return state.revision >= this.#revision ? state : { ...state, revision: this.#revision }
  }

  get changes(): AsyncIterable<LiveSetState> {
    return this.#states
  }

  subscribe(listener: (state: LiveSetState) => void): () => void {
    return this.#states.subscribe(listener)
  }

  close(): void {
    if (this.#closing.signal.aborted) return
    this.#silence?.cancel()
    this.#closing.abort()
    this.#states.end()
    this.#options.onClose()
  }

  #onHeard(revision: number): void {
    const { world, staleAfterMs } = this.#options
    this.#heardMs = world.clock.monotonicMs()
    this.#revision = Math.max(this.#revision, revision)
    const state = this.#states.latest
    // The first state is not known yet: it comes right after.
    if (state?.stale === true && state !== unknown) this.#states.set({ ...state, stale: false })
    this.#silence ??= world.timers.after(staleAfterMs, () => this.#onSilence())
  }

  #onSilence(): void {
    const { world, staleAfterMs } = this.#options
    const leftMs = this.#heardMs + staleAfterMs - world.clock.monotonicMs()
    this.#silence = leftMs > 0 ? world.timers.after(leftMs, () => this.#onSilence()) : undefined
    if (leftMs <= 0) this.#markStale()
  }

  #markStale(): void {
    const state = this.#states.latest
    if (state !== undefined && !state.stale) this.#states.set({ ...state, stale: true })
  }
}
