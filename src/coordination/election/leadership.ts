import { textFromBytes } from '../../base/bytes.ts'
import { AlthingError, isAlthingError } from '../../contracts/errors.ts'
import type { Store } from '../../contracts/store.ts'
import type { Leadership } from './election-types.ts'
import { type ElectionKeys, encodeElectionEntry, nameHeir } from './election-view.ts'
import type { ExclusiveHold } from '../exclusive-hold.ts'
import { shortText } from '../names.ts'
import { RightHandle } from '../right.ts'

export interface LeadershipDetails {
  readonly store: Store
  readonly election: string
  readonly keys: ElectionKeys
  readonly candidate: string
  readonly electedAtMs: number
}

export class LeadershipHandle extends RightHandle implements Leadership {
  readonly #details: LeadershipDetails
  readonly #hold: ExclusiveHold
  readonly #onEnd: () => void

  constructor(details: LeadershipDetails, hold: ExclusiveHold, onEnd: () => void) {
    super(hold)
    this.#details = details
    this.#hold = hold
    this.#onEnd = onEnd
    hold.lost.addEventListener('abort', onEnd, { once: true })
  }

  get election(): string {
    return this.#details.election
  }

  get candidate(): string {
    return this.#details.candidate
  }

  get term(): number {
    return this.token
  }

  get isLeader(): boolean {
    return this.isHeld
  }

  async proclaim(value: string): Promise<void> {
    const text = shortText('value', value, 65_536) ?? ''
    const { candidate, electedAtMs } = this.#details
    await this.#hold.setValue(
      textFromBytes(encodeElectionEntry({ candidate, value: text, atMs: electedAtMs })),
    )
  }

  async resign(): Promise<void> {
    this.#onEnd()
    await this.#hold.release()
  }

  async transfer(candidate: string): Promise<void> {
    const { store, keys } = this.#details
    const key = keys.candidate(candidate)
    const { kvs } = await store.range({ key, keysOnly: true })
    const found = kvs[0]
    if (found === undefined) throw this.#notStanding(candidate)
    const { compare, then } = nameHeir(keys, { ...found, id: candidate })
    try {
      if (!(await this.#hold.handOver(then, compare))) throw this.#notStanding(candidate)
    } catch (error) {
      // Not knowing whether another may lead now, this one must not: it gives up for good.
      if (isAlthingError(error) && error.outcome === 'unknown') await this.#resignQuietly()
      throw error
    }
    await this.#resignQuietly()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.resign()
  }

  /** What is left of the leadership in the store is an empty lease, which ends by itself. */
  async #resignQuietly(): Promise<void> {
    await this.resign().catch(() => {})
  }

  #notStanding(candidate: string): AlthingError {
    return new AlthingError('not-found', `"${candidate}" is no candidate of "${this.election}"`, {
      outcome: 'none',
      details: { election: this.election, candidate },
    })
  }
}
