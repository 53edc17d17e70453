import { bytesFromText, type ByteString, textFromBytes } from '../../base/bytes.ts'
import { createDeferred, type Deferred } from '../../base/deferred.ts'
import { AlthingError, isAlthingError } from '../../contracts/errors.ts'
import type { Compare, KeyValue, Store } from '../../contracts/store.ts'
import type { World } from '../../contracts/world.ts'
import { pause, untilAborted, type WaitLimit } from '../abortable.ts'
import type { KeptLease } from '../leases/kept-lease.ts'
import { lostError } from '../leases/loss-cause.ts'
import { randomId } from '../names.ts'
import { followRange } from '../range-follower.ts'
import { byCreation } from '../range-pages.ts'

interface PartyEntry {
  /** How many it waits for, itself among them. */
  readonly parties: number
  /** It has been let through, as this one in the order of arrival. */
  readonly index?: number
}

export interface GatheringOptions {
  readonly store: Store
  readonly world: World
  readonly range: { readonly key: ByteString; readonly end: ByteString }
  /** Named in errors: `barrier "start"`. */
  readonly what: string
  readonly parties: number
  readonly lease: KeptLease
  /** Nobody is let through before all of the former generation have left. */
  readonly isDouble: boolean
}

/** What a party knows once it is let through. */
export interface Passage {
  /** The revision at which all of its generation were let through. */
  readonly generation: number
  /** Its place in the order of arrival, from 0. */
  readonly index: number
}

/** So long is the opening left to the party that came last; then the others open, too. */
const openAfterMs = 1_000
const cleanupTimeoutMs = 1_000

/**
 * One party of a barrier. Each has a key on its own lease; when as many stand as are waited for, one transaction, which compares that each of them still stands,
 * marks them all as let through: so a barrier never opens with a party that is dead by the store's order, and nobody is let through alone.
 */
export class Gathering {
  readonly #options: GatheringOptions
  readonly #key: ByteString
  readonly #following = new AbortController()
  #kvs: ReadonlyMap<ByteString, KeyValue> | undefined
  #changed: Deferred<void> = createDeferred()
  #failure: { readonly error: unknown } | undefined
  #token = 0

  constructor(options: GatheringOptions) {
    this.#options = options
    this.#key = options.range.key + randomId(options.world)
  }

  /** Resolves when all are there: with the revision at which they were let through, the same for all, and the own place in the order of arrival. */
  async untilAllAreThere(limit: WaitLimit): Promise<Passage> {
    const { lease, isDouble } = this.#options
    limit.endWith(lease.lost, (signal) => placeLost(this.#options.what, signal.reason))
    try {
      await untilAborted(this.#arrive(), limit.signal, (signal) => signal.reason)
      this.#follow()
      const passage = await untilAborted(this.#untilIn(limit.signal), limit.signal, (signal) => signal.reason)
      // After a stall this may come before the timer that tells of the loss; and by then the next generation may be in.
      if (isDouble && !lease.isValid) return await untilAborted(never(), limit.signal, ({ reason }) => reason)
      return passage
    } catch (error) {
      const passed = await this.#stepBack()
      if (passed !== undefined && lease.isValid) return passed
      throw error
    }
  }

  /** Resolves when nobody of this generation is left. The own key must be gone. */
  async untilAllAreGone(generation: number, limit: WaitLimit): Promise<void> {
    const isLeft = (): boolean =>
      this.#present().some((kv) => kv.modRevision === generation && kv.key !== this.#key)
    const wait = async (): Promise<void> => {
      while (this.#kvs === undefined || isLeft()) await this.#nextChange()
    }
    await untilAborted(wait(), limit.signal, (signal) => signal.reason)
  }

  /** Stops to look at the others. */
  close(): void {
    this.#following.abort()
    this.#changed.resolve()
  }

  async #arrive(): Promise<void> {
    const { store, parties, lease, range, what } = this.#options
    const reply = await store.txn({
      then: [
        { op: 'put', key: this.#key, value: encode({ parties }), lease: lease.id },
        { op: 'range', ...range },
      ],
    })
    this.#token = reply.revision
    const line = reply.replies[1]
    const others = line?.op === 'range' ? line.kvs : []
    const other = others.find((kv) => decode(kv)?.parties !== parties)
    if (other === undefined) return
    throw new AlthingError(
      'conflict',
      `${what} is waited at for ${decode(other)?.parties ?? 'an unknown number of'} parties, not for ${parties}`,
      { outcome: 'none', details: { parties } },
    )
  }

  #follow(): void {
    const { store, world, range } = this.#options
    const { signal } = this.#following
    const onState = ({ kvs }: { readonly kvs: ReadonlyMap<ByteString, KeyValue> }): void => {
      this.#kvs = kvs
      this.#changed.resolve()
    }
    followRange({ store, world, range, signal, onState }).catch((error: unknown) => {
      this.#failure = { error }
      this.#changed.resolve()
    })
  }

  async #untilIn(signal: AbortSignal): Promise<Passage> {
    let openAtMs: number | undefined
    for (;;) {
      // Else it would look again and again without a pause once the wait is over.
      if (signal.aborted) throw signal.reason
      const own = this.#kvs?.get(this.#key)
      if (this.#kvs !== undefined && own === undefined) throw placeLost(this.#options.what, undefined)
      const passage = own === undefined ? undefined : passageOf(own)
      if (passage !== undefined) return passage
      const complete = this.#complete()
      if (complete === undefined) {
        openAtMs = undefined
        await this.#nextChange()
        continue
      }
      const nowMs = this.#options.world.clock.monotonicMs()
      openAtMs ??= complete.at(-1)?.key === this.#key ? nowMs : nowMs + openAfterMs
      if (openAtMs <= nowMs) openAtMs = (await this.#open(complete)) ? undefined : nowMs + openAfterMs
      await this.#nextChange(openAtMs === undefined ? undefined : openAtMs - nowMs, signal)
    }
  }

  /** Those who are to be let through together: undefined while some are missing, or while those before them have not all left. */
  #complete(): readonly KeyValue[] | undefined {
    const present = this.#present()
    const waiting = present.filter((kv) => passageOf(kv) === undefined)
    const { parties, isDouble } = this.#options
    if (waiting.length < parties || (isDouble && waiting.length < present.length)) return undefined
    const first = byCreation(waiting).slice(0, parties)
    return first.some((kv) => kv.key === this.#key) ? first : undefined
  }

  #present(): readonly KeyValue[] {
    return [...(this.#kvs?.values() ?? [])]
  }

  /** Returns whether the state has changed, by this or by another's hand: a watch will show it. */
  async #open(complete: readonly KeyValue[]): Promise<boolean> {
    const { store, parties } = this.#options
    try {
      await store.txn({
        compare: complete.map(
          (kv): Compare => ({ target: 'modRevision', key: kv.key, op: '=', value: kv.modRevision }),
        ),
        then: complete.map((kv, index) => ({
          op: 'put' as const,
          key: kv.key,
          value: encode({ parties, index }),
          lease: 'keep' as const,
        })),
      })
      return true
    } catch (error) {
      if (isAlthingError(error, 'closed')) throw error
      return false
    }
  }

  /**
   * For one who waits no longer: takes the own key away, unless all were let through at this very moment. Then it has passed, and is told so: the others went on in the
   * belief that it is with them.
   */
  async #stepBack(): Promise<Passage | undefined> {
    const { store, lease } = this.#options
    try {
      if (this.#token === 0 || !lease.isValid) return undefined
      const reply = await store.txn(
        {
          compare: [{ target: 'modRevision', key: this.#key, op: '=', value: this.#token }],
          then: [{ op: 'delete', key: this.#key }],
          else: [{ op: 'range', key: this.#key }],
        },
        { timeoutMs: cleanupTimeoutMs },
      )
      const [read] = reply.replies
      const own = read?.op === 'range' ? read.kvs[0] : undefined
      return own === undefined ? undefined : passageOf(own)
    } catch {
      // Its lease takes it away.
      return undefined
    }
  }

  #throwIfFailed(): void {
    if (this.#failure !== undefined) throw this.#failure.error
  }

  async #nextChange(withinMs?: number, signal?: AbortSignal): Promise<void> {
    this.#throwIfFailed()
    const changed = this.#changed
    if (withinMs === undefined) await changed.promise
    else {
      const waking = new AbortController()
      void changed.promise.then(() => waking.abort())
      const signals = signal === undefined ? [waking.signal] : [waking.signal, signal]
      await pause(this.#options.world, Math.max(1, withinMs), AbortSignal.any(signals))
    }
    if (this.#changed === changed) this.#changed = createDeferred()
    this.#throwIfFailed()
  }
}

function never(): Promise<never> {
  return new Promise(() => {})
}

function encode(entry: PartyEntry): Uint8Array {
  return bytesFromText(JSON.stringify(entry))
}

function decode({ value }: KeyValue): PartyEntry | undefined {
  try {
    const entry = JSON.parse(textFromBytes(value)) as Partial<PartyEntry> | null
    return typeof entry?.parties === 'number' ? (entry as PartyEntry) : undefined
  } catch {
    return undefined
  }
}

/** Undefined for one that still waits. */
export function passageOf(kv: KeyValue): Passage | undefined {
  const index = decode(kv)?.index
  return index === undefined ? undefined : { generation: kv.modRevision, index }
}

function placeLost(what: string, cause: unknown): AlthingError {
  const why = isAlthingError(cause) ? cause.message : 'its key is gone from the store'
  return lostError('removed', `the place at ${what} was lost: ${why}`, {
    ...(isAlthingError(cause) ? cause.details : {}),
  })
}
