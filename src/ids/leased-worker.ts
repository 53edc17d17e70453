import { AlthingError, isAlthingError } from '../contracts/errors.ts'
import type { CallOptions, Store } from '../contracts/store.ts'
import type { World } from '../contracts/world.ts'
import { fencedTxn, staleToken } from '../coordination/fencing.ts'
import type { KeptLease } from '../coordination/leases/kept-lease.ts'
import { randomId } from '../coordination/names.ts'
import type { IdWindow } from '../protocols/snowflake/sequence.ts'
import type { Tenure } from './tenure.ts'
import { decodeMark, encodeRecord } from './worker-records.ts'

export interface LeasedWorkerOptions {
  readonly store: Store
  readonly world: World
  readonly lease: KeptLease
  readonly worker: number
  readonly window: IdWindow
  /** Create revision of the held key, which is the revision of the mark, too: one transaction wrote both. */
  readonly token: number
  readonly heldKey: string
  readonly markKey: string
}

const unansweredMax = 32
const releaseTimeoutMs = 2_000

/** A worker id held on a lease. Its mark only moves under the fence of the held key, and from the value this holder knows. */
export class LeasedWorker implements Tenure {
  readonly worker: number
  readonly token: number
  readonly window: IdWindow
  readonly #options: LeasedWorkerOptions
  readonly #lost = new AbortController()
  /** Nonces of writes of which no answer came: any of them may be in the store, or come there still. */
  #unanswered: readonly string[] = []
  #markRevision: number
  #isOver = false
  #released: Promise<void> | undefined

  constructor(options: LeasedWorkerOptions) {
    this.#options = options
    this.worker = options.worker
    this.token = options.token
    this.window = options.window
    this.#markRevision = options.token
    const { lost } = options.lease
    const onLost = (): void => this.#lose(lost.reason as AlthingError)
    if (lost.aborted) onLost()
    else lost.addEventListener('abort', onLost, { once: true })
  }

  get isHeld(): boolean {
    return !this.#isOver && this.#options.lease.isValid
  }

  get lost(): AbortSignal {
    return this.#lost.signal
  }

  async extend(until: number, options?: CallOptions): Promise<void> {
    try {
      // The second time when an unanswered write of our own turns out to have been made.
      if (!(await this.#write(until, options)) && !(await this.#write(until, options))) throw this.#stale()
    } catch (error) {
      if (isAlthingError(error, 'stale-token')) this.#lose(error)
      throw error
    }
  }

  release(usedUntil: number): Promise<void> {
    this.#released ??= this.#release(usedUntil)
    return this.#released
  }

  async #release(usedUntil: number): Promise<void> {
    const wasHeld = this.isHeld
    this.#isOver = true
    try {
      if (wasHeld) await this.#write(usedUntil, { timeoutMs: releaseTimeoutMs })
    } catch (error) {
      this.#log('the mark of a worker id that was given up stays where it was', error)
    }
    if (!wasHeld) {
      // A copy of this process may go on with the lease; and one that has lapsed ends by itself.
      this.#options.lease.abandon()
      return
    }
    try {
      await this.#options.lease.release({ timeoutMs: releaseTimeoutMs })
    } catch (error) {
      this.#log('the lease of a worker id that was given up ends by itself', error)
    }
  }

  /**
   * Moves the mark. False when an earlier write of our own had moved it meanwhile.
   *
   * The write is believed only when it is read back with the nonce of this very call: in a machine that was copied with its memory both copies speak to
   * the store with one session, and the store answers the second as if it were the first.
   */
  async #write(until: number, options?: CallOptions): Promise<boolean> {
    const { store, world, heldKey, markKey } = this.#options
    const nonce = nonceOf(world)
    this.#unanswered = [...this.#unanswered, nonce].slice(-unansweredMax)
    const { succeeded, replies } = await fencedTxn(
      store,
      { key: heldKey, token: this.token },
      {
        compare: [{ target: 'modRevision', key: markKey, op: '=', value: this.#markRevision }],
        then: [{ op: 'put', key: markKey, value: encodeRecord({ until, token: this.token, nonce }) }],
        else: [{ op: 'range', key: markKey }],
      },
      options,
    )
    if (succeeded) {
      const revision = await revisionOfMark(store, markKey, nonce, options)
      if (revision === undefined) throw this.#stale()
      this.#markRevision = revision
      this.#unanswered = []
      return true
    }
    const [found] = replies
    const mark = found?.op === 'range' ? found.kvs[0] : undefined
    const earlier = this.#unanswered.filter((each) => each !== nonce)
    if (mark === undefined || !earlier.includes(decodeMark(mark).nonce)) throw this.#stale()
    this.#markRevision = mark.modRevision
    this.#unanswered = []
    return false
  }

  #stale(): AlthingError {
    return staleToken({ key: this.#options.heldKey, token: this.token })
  }

  #lose(error: AlthingError): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#lost.abort(error)
  }

  #log(message: string, error: unknown): void {
    this.#options.world.logger.log('debug', message, { worker: this.worker, error: String(error) })
  }
}

/** Revision at which the mark was written with this nonce; `undefined` when it is another's now. */
export async function revisionOfMark(
  store: Store,
  key: string,
  nonce: string,
  options?: CallOptions,
): Promise<number | undefined> {
  const mark = (await store.range({ key }, options)).kvs[0]
  return mark !== undefined && decodeMark(mark).nonce === nonce ? mark.modRevision : undefined
}

/** Two copies of one process may draw the same random numbers; what their clocks show is not the same. */
export function nonceOf(world: World): string {
  return `${randomId(world)}-${world.clock.monotonicMs().toString(36)}`
}
