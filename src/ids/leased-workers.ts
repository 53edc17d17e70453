import { prefixEnd } from '../base/bytes.ts'
import { AlthingError } from '../contracts/errors.ts'
import type { CallOptions, KeyValue, Store } from '../contracts/store.ts'
import type { World } from '../contracts/world.ts'
import type { KeptLease } from '../coordination/leases/kept-lease.ts'
import type { LeaseKeeper } from '../coordination/leases/lease-keeper.ts'
import { readWholeRange } from '../coordination/range-pages.ts'
import { LeasedWorker, nonceOf, revisionOfMark } from './leased-worker.ts'
import type { Tenure, TenureRequest, TenureSource } from './tenure.ts'
import {
  decodeHistory,
  decodeMark,
  encodeRecord,
  holdersMax,
  type WorkerKeys,
  workerOfKey,
} from './worker-records.ts'

export interface LeasedWorkersOptions {
  readonly store: Store
  readonly world: World
  readonly keeper: LeaseKeeper
  readonly keys: WorkerKeys
  readonly datacentre: number
  /** How many worker ids there are. */
  readonly workers: number
  readonly ttlMs: number
  readonly label: string
}

/** How often a claim that others were faster at is tried with another worker id. */
const triesMax = 64

interface Candidate {
  readonly worker: number
  readonly mark: KeyValue | undefined
  readonly until: number
}

/** Worker ids of one datacentre, each held on a lease of its own. */
export class LeasedWorkers implements TenureSource {
  readonly #options: LeasedWorkersOptions

  constructor(options: LeasedWorkersOptions) {
    this.#options = options
  }

  /**
   * Rejects with `overloaded` when every worker id is held, and with `unavailable` when those that are free were used for times that lie more than
   * `lateMs` in the future of this clock.
   */
  async claim(request: TenureRequest, options?: CallOptions): Promise<Tenure> {
    const lease = await this.#options.keeper.keep(this.#options.ttlMs, options)
    try {
      for (let tries = 0; tries < triesMax; tries++) {
        const tenure = await this.#tryClaim(
          lease,
          this.#choose(await this.#free(options), request),
          request,
          options,
        )
        if (tenure !== undefined) return tenure
      }
      throw this.#noneFree()
    } catch (error) {
      await this.#drop(lease)
      throw error
    }
  }

  async close(): Promise<void> {}

  async #drop(lease: KeptLease): Promise<void> {
    try {
      await lease.release()
    } catch (error) {
      this.#options.world.logger.log('debug', 'the lease of a claim that failed ends by itself', {
        lease: lease.id,
        error: String(error),
      })
    }
  }

  async #free(options?: CallOptions): Promise<readonly Candidate[]> {
    const { store, keys, datacentre, workers } = this.#options
    const read = async (prefix: string, keysOnly: boolean): Promise<ReadonlyMap<number, KeyValue>> => {
      const { kvs } = await readWholeRange(
        store,
        { key: prefix, end: prefixEnd(prefix) as string, keysOnly },
        options,
      )
      return new Map(kvs.map((kv) => [workerOfKey(kv.key), kv]))
    }
    const held = await read(keys.heldPrefix(datacentre), true)
    const marks = await read(keys.markPrefix(datacentre), false)
    const free: Candidate[] = []
    for (let worker = 0; worker < workers; worker++) {
      if (held.has(worker)) continue
      const mark = marks.get(worker)
      free.push({ worker, mark, until: mark === undefined ? 0 : decodeMark(mark).until })
    }
    return free
  }

  /** Any that can be used at once; else the one that can be used first. */
  #choose(free: readonly Candidate[], { now, lateMs }: TenureRequest): Candidate {
    const ready = free.filter(({ until }) => until <= now)
    // By chance, so that many who start together seldom want the same.
    if (ready.length > 0) return ready[this.#options.world.random.integer(0, ready.length - 1)] as Candidate
    const first = free.toSorted((a, b) => a.until - b.until)[0]
    if (first === undefined) throw this.#noneFree()
    if (first.until - now <= lateMs) return first
    throw new AlthingError(
      'unavailable',
      `every free worker id was used for times later than this clock shows, by ${first.until - now} ms and more: this clock is behind, or ` +
        'theirs was ahead',
      { outcome: 'none', details: { cause: 'clock-back', backMs: first.until - now } },
    )
  }

  #noneFree(): AlthingError {
    const { workers, datacentre, ttlMs } = this.#options
    return new AlthingError(
      'overloaded',
      `all ${workers} worker ids of datacentre ${datacentre} are held; one that is freed can be had at once, that of a dead process after ${ttlMs} ms`,
      { outcome: 'none', details: { workers, datacentre, ttlMs } },
    )
  }

  /** `undefined` when another was faster. */
  async #tryClaim(
    lease: KeptLease,
    candidate: Candidate,
    { now, after, reserveMs }: TenureRequest,
    options?: CallOptions,
  ): Promise<Tenure | undefined> {
    const { store, keys, datacentre, label, world } = this.#options
    const { worker, mark } = candidate
    const from = Math.max(now, after + 1, candidate.until)
    const window = { from, until: from + reserveMs }
    const heldKey = keys.held(datacentre, worker)
    const markKey = keys.mark(datacentre, worker)
    const historyKey = keys.history(datacentre, worker)
    const former = (await store.range({ key: historyKey }, options)).kvs[0]
    const nonce = nonceOf(world)
    const history = decodeHistory(former).map((tenure) => ({
      ...tenure,
      until: tenure.until ?? candidate.until,
    }))
    const { succeeded } = await store.txn(
      {
        compare: [
          { target: 'createRevision', key: heldKey, op: '=', value: 0 },
          { target: 'modRevision', key: markKey, op: '=', value: mark?.modRevision ?? 0 },
          { target: 'modRevision', key: historyKey, op: '=', value: former?.modRevision ?? 0 },
        ],
        then: [
          { op: 'put', key: heldKey, value: encodeRecord([{ label, from }]), lease: lease.id },
          { op: 'put', key: markKey, value: encodeRecord({ until: window.until, token: 0, nonce }) },
          {
            op: 'put',
            key: historyKey,
            value: encodeRecord([...history, { label, from }].slice(-holdersMax)),
          },
        ],
      },
      options,
    )
    if (!succeeded) return undefined
    const token = await revisionOfMark(store, markKey, nonce, options)
    return token === undefined
      ? undefined
      : new LeasedWorker({ store, world, lease, worker, window, token, heldKey, markKey })
  }
}
