import { AlthingError, invalidArgument } from '../contracts/errors.ts'
import type { CallOptions, Store } from '../contracts/store.ts'
import type { World } from '../contracts/world.ts'
import { assertGuarantees, type Guarantee, type Requirements } from '../coordination/guarantees.ts'
import { LeaseKeeper } from '../coordination/leases/lease-keeper.ts'
import { leaseTtlMs, shortText, wholeNumber } from '../coordination/names.ts'
import { layoutOf, type SnowflakeLayout } from '../protocols/snowflake/layout.ts'
import { explainIdIn, type IdExplanation, layoutConflict } from './explain-id.ts'
import { FixedWorker } from './fixed-worker.ts'
import { LeasedWorkers } from './leased-workers.ts'
import { SegmentIds, type SegmentOptions } from './segment-ids.ts'
import { timingOf } from './generator-timing.ts'
import { TenuredGenerator } from './snowflake-generator.ts'
import {
  type SnowflakeGenerator,
  snowflakeDefaults,
  type SnowflakeOptions,
  type SnowflakeTimeOptions,
} from './snowflake-types.ts'
import { Uuids } from './uuids.ts'
import { decodeLayout, encodeRecord, WorkerKeys } from './worker-records.ts'

/**
 * Uniqueness stands on transactions whose order is one, that are kept, and whose revisions only grow; not on leases being on time, which only say who
 * may try.
 */
export const idRequirements: Requirements = { recipe: 'ids', needs: ['linearizable', 'durable', 'fencing'] }

export interface IdServiceOptions {
  readonly store: Store
  readonly world: World
  /** Default: one of its own, closed with the service. Share one among the recipes of a process. */
  readonly keeper?: LeaseKeeper
  /** Missing guarantees of the store that the caller can live without. */
  readonly accept?: readonly Guarantee[]
  /** What holds the worker ids of this process, for people to read. Default 'unnamed'. */
  readonly label?: string
  /** Bound on open generators and segments together (`overloaded`). Default 10,000. */
  readonly openMax?: number
}

const openMaxDefault = 10_000
const layoutTriesMax = 8

/** Ids that need a store to be unique, and UUIDs, which do not. */
export class IdService {
  /** One for the process, so that its ids grow over all of its code. */
  readonly uuids: Uuids
  readonly #options: IdServiceOptions
  readonly #keeper: LeaseKeeper
  readonly #label: string
  readonly #openMax: number
  readonly #open = new Set<{ close(): Promise<void> }>()
  #opening = 0
  #closed: Promise<void> | undefined

  constructor(options: IdServiceOptions) {
    assertGuarantees(options.store, idRequirements, options)
    this.#options = options
    this.#label = shortText('label', options.label, 256) ?? 'unnamed'
    this.#openMax = wholeNumber('openMax', options.openMax ?? openMaxDefault, 1, 1_000_000)
    this.#keeper = options.keeper ?? new LeaseKeeper(options.store, options.world)
    this.uuids = new Uuids(options.world)
  }

  /**
   * A generator with a worker id of its own in the namespace: ids are unique among all generators of the namespace. Rejects with `overloaded` when all worker ids are
   * held, `conflict` when the namespace has another layout, `unavailable` when the clock is behind what all free worker ids were used for, `missing-guarantee`.
   */
  async snowflake(namespace = 'default', options: SnowflakeOptions = {}): Promise<SnowflakeGenerator> {
    const layout = layoutOf(options.layout)
    const timing = timingOf(options)
    const datacentre = wholeNumber('datacentre', options.datacentre ?? 0, 0, 2 ** layout.datacentreBits - 1)
    const ttlMs = leaseTtlMs('ttl', options.ttl ?? snowflakeDefaults.ttl)
    const label = shortText('label', options.label, 256) ?? this.#label
    const keys = new WorkerKeys(namespace)
    const { store, world } = this.#options
    return await this.#opened(async () => {
      const call = options.signal === undefined ? {} : { signal: options.signal }
      await this.#agreeOnLayout(namespace, keys, layout, call)
      const workers = 2 ** layout.workerBits
      const source = new LeasedWorkers({
        store,
        world,
        keeper: this.#keeper,
        keys,
        datacentre,
        workers,
        ttlMs,
        label,
      })
      const onClose = (generator: SnowflakeGenerator): void => void this.#open.delete(generator)
      return await TenuredGenerator.open({ world, source, layout, datacentre, timing, onClose }, call)
    })
  }

  /** Consecutive ids of the tag. Costs nothing before the first id is asked for. */
  segment(tag: string, options: SegmentOptions = {}): SegmentIds {
    this.#admit()
    const { store, world } = this.#options
    const onClose = (): void => void this.#open.delete(segment)
    const segment: SegmentIds = new SegmentIds({ store, world, onClose }, tag, options)
    this.#open.add(segment)
    return segment
  }

  /** What an id says of itself, and who held its worker id then. Throws `invalid-argument` for what is no id. */
  async explain(
    id: bigint | string,
    options: CallOptions & { readonly namespace?: string } = {},
  ): Promise<IdExplanation> {
    const { namespace = 'default', ...call } = options
    return await explainIdIn(this.#options.store, namespace, id, call)
  }

  /** Closes every generator and segment. Idempotent. */
  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(): Promise<void> {
    await Promise.allSettled([...this.#open].map((each) => each.close()))
    if (this.#options.keeper === undefined) await this.#keeper.close()
  }

  #admit(): void {
    if (this.#closed !== undefined)
      throw new AlthingError('closed', 'the service of ids is closed', { outcome: 'none' })
    if (this.#open.size + this.#opening >= this.#openMax) {
      throw new AlthingError('overloaded', `${this.#openMax} generators are open (openMax)`, {
        outcome: 'none',
      })
    }
  }

  async #opened(open: () => Promise<SnowflakeGenerator>): Promise<SnowflakeGenerator> {
    this.#admit()
    this.#opening++
    try {
      const generator = await open()
      this.#open.add(generator)
      if (this.#closed !== undefined) {
        await generator.close()
        this.#admit()
      }
      return generator
    } finally {
      this.#opening--
    }
  }

  async #agreeOnLayout(
    namespace: string,
    keys: WorkerKeys,
    layout: SnowflakeLayout,
    options: CallOptions,
  ): Promise<void> {
    for (let tries = 0; tries < layoutTriesMax; tries++) {
      const reply = await this.#options.store.txn(
        {
          compare: [{ target: 'createRevision', key: keys.layout, op: '=', value: 0 }],
          then: [{ op: 'put', key: keys.layout, value: encodeRecord(layout) }],
          else: [{ op: 'range', key: keys.layout }],
        },
        options,
      )
      if (reply.succeeded) return
      const [found] = reply.replies
      const kv = found?.op === 'range' ? found.kvs[0] : undefined
      if (kv === undefined) continue
      const kept = decodeLayout(kv)
      if (JSON.stringify(kept) !== JSON.stringify(layout)) throw layoutConflict(namespace, kept, layout)
      return
    }
    throw new AlthingError('unavailable', 'the layout of the namespace keeps vanishing from the store', {
      outcome: 'none',
    })
  }
}

export interface FixedSnowflakeOptions extends SnowflakeTimeOptions {
  readonly world: World
  /** Yours to number: no two generators that run at the same time may have the same. */
  readonly worker: number
  readonly datacentre?: number
  readonly layout?: Partial<SnowflakeLayout>
  /**
   * A folder of the world's disk for the high-water mark, for this worker id alone; one process at a time can have it (`conflict`). Without it nothing is kept:
   * after a restart ids are unique only if the clock shows more than when the last one was given.
   */
  readonly directory?: string
}

/** A generator without a store. Rejects with `conflict` (the folder), `unavailable` (the clock is behind the mark), `corrupt` (the mark). */
export async function openFixedSnowflake(options: FixedSnowflakeOptions): Promise<SnowflakeGenerator> {
  const { world, directory } = options
  const layout = layoutOf(options.layout)
  const datacentre = wholeNumber('datacentre', options.datacentre ?? 0, 0, 2 ** layout.datacentreBits - 1)
  const worker = wholeNumber('worker', options.worker, 0, 2 ** layout.workerBits - 1)
  if (directory === '') throw invalidArgument('directory', directory, 'the path of a folder')
  const source = new FixedWorker(world, worker, directory)
  return await TenuredGenerator.open({ world, source, layout, datacentre, timing: timingOf(options) })
}
