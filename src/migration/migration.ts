import { AlthingError, isAlthingError } from '../contracts/errors.ts'
import type { KeyRange, Operation, Store } from '../contracts/store.ts'
import type { World } from '../contracts/world.ts'
import { foldEvents } from './fold-events.ts'
import {
  decodeMarker,
  encodeMarker,
  type Marker,
  markerKey,
  raiseKey,
  type SourceMarker,
  type TargetMarker,
} from './marker.ts'
import { patiently } from './patiently.ts'
import { reconcile, type Tally } from './reconcile.ts'
import { TargetWriter } from './target-writer.ts'

export interface MigrationOptions {
  readonly from: Store
  readonly to: Store
  readonly world: Pick<World, 'clock' | 'timers' | 'random'>
  /** What is moved. Default: every key. */
  readonly range?: KeyRange
  /** What the new store has in the range already makes way. Default: such a store is refused. */
  readonly replace?: boolean
  readonly progressed?: (progress: MigrationProgress) => void
}

export interface MigrationProgress {
  readonly step: 'copying' | 'following' | 'comparing' | 'raising'
  /** Of the old store: what the new one has. While raising: the new store's own. */
  readonly revision: number
  readonly keys?: number
}

export interface MigrationReport {
  readonly keys: number
  readonly bytes: number
  /** Keys on leases, which were not moved. */
  readonly leased: number
  /** The one that the old store ended at, and what the new one is at now: later. */
  readonly revision: number
  readonly newRevision: number
  /** Passes of comparison: the last found no difference. */
  readonly passes: number
}

/** Passes of {@link Migration.cutOver} that may find something to mend. */
const passesMax = 10
/** Writes that raise the new store's revision, at a time. */
const raisingAtOnce = 64

/**
 * Moves a live store to another engine: copies all keys at one revision, follows the changes since, and, once nobody writes any more, compares both and hands over. Everything that is done
 * stands in both stores, so a run that ended, however it did, is taken up by the next; a run that is followed by another can change nothing.
 *
 * Values come over as they are; revisions and versions begin anew, but later than any that the old store gave, so that fencing tokens go on growing. Keys on leases are not moved:
 * the programs that hold them make them anew where they go.
 */
export class Migration {
  readonly #options: MigrationOptions
  readonly #range: KeyRange
  readonly #source: SourceMarker
  readonly #writer: TargetWriter

  private constructor(options: MigrationOptions, source: SourceMarker, target: TargetMarker) {
    this.#options = options
    this.#range = rangeOf(options)
    this.#source = source
    this.#writer = new TargetWriter({ store: options.to, world: options.world }, target)
  }

  /**
   * Begins a migration, or takes up the one that the stores tell of. Rejects with `conflict` when the new store has keys in the range, unless they may be replaced, or is being filled from
   * another store.
   */
  static async begin(options: MigrationOptions): Promise<Migration> {
    const found = await markerIn(options, options.to)
    if (found !== undefined && found.role === 'source' && options.replace !== true) throw occupied()
    const target = found?.role === 'target' ? found : undefined
    if (target === undefined && options.replace !== true) await assertEmpty(options)
    const source = await sourceMarker(options, target)
    const run = randomId(options.world)
    const next: TargetMarker =
      target === undefined
        ? { role: 'target', id: source.id, run, sequence: 0, phase: 'copy', revision: 0, cursor: '' }
        : { ...target, run, sequence: target.sequence + 1 }
    await takeOver(options, found, next)
    return new Migration(options, source, next)
  }

  /** How far it is. */
  get reached(): Pick<TargetMarker, 'phase' | 'revision'> {
    const { phase, revision } = this.#writer.marker
    return { phase, revision }
  }

  /** Copies, then follows until `signal` fires. Rejects with `conflict` when another run has taken over. */
  async follow(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      if (this.#writer.marker.phase === 'copy') await this.#copy(signal)
      else {
        // Long where the old store has seen much more than the new one: so while programs still write, not at the hand-over.
        await this.#raise(this.#writer.marker.revision, signal)
        await this.#followFrom(this.#writer.marker.revision + 1, signal)
      }
    }
  }

  /**
   * Hands over. Nobody may write to the old store any more: it is compared with the new one until nothing differs and its revision has stood still. Rejects with `conflict` when somebody
   * still writes. Afterwards the new store's revision is later than the old one's.
   */
  async cutOver(): Promise<MigrationReport> {
    for (let passes = 1; passes <= passesMax; passes++) {
      const revision = await this.#newestRevision()
      const tally = await this.#pass('comparing', revision, undefined)
      const isWhole = tally !== undefined && tally.differences === 0
      if (!isWhole || (await this.#newestRevision()) !== revision) continue
      await this.#raise(revision)
      await this.#markMoved()
      await this.#writer.end()
      const { keys, bytes, leased } = tally
      const newRevision = await this.#newestRevision(this.#options.to)
      return { keys, bytes, leased, revision, newRevision, passes }
    }
    throw new AlthingError(
      'conflict',
      `the old store has changed in each of ${passesMax} passes of comparison: stop all who write to it, then hand over again`,
      { outcome: 'none' },
    )
  }

  async #copy(signal: AbortSignal): Promise<void> {
    const { revision, cursor } = this.#writer.marker
    if (revision > 0 && (await this.#pass('copying', revision, cursor, signal)) !== undefined) return
    await this.#pass('copying', await this.#newestRevision(), undefined, signal)
  }

  /** `undefined`: the old store has forgotten that revision meanwhile. */
  async #pass(
    step: 'copying' | 'comparing',
    revision: number,
    cursor: string | undefined,
    signal?: AbortSignal,
  ): Promise<Tally | undefined> {
    const { from, to, world } = this.#options
    try {
      return await reconcile({
        ...{ from, to, world, range: this.#range, revision, writer: this.#writer, phase: 'follow' },
        ...(cursor === undefined || cursor === '' ? {} : { cursor }),
        ...(signal === undefined ? {} : { signal }),
        passed: ({ keys }) => this.#options.progressed?.({ step, revision, keys }),
      })
    } catch (error) {
      if (isAlthingError(error, 'aborted') && signal?.aborted === true) return undefined
      if (isAlthingError(error, 'compacted')) return undefined
      throw error
    }
  }

  async #followFrom(fromRevision: number, signal: AbortSignal): Promise<void> {
    const watch = this.#options.from.watch({ ...this.#range, fromRevision, signal })
    try {
      for await (const batch of watch) {
        if (batch.kind === 'created')
          this.#options.progressed?.({ step: 'following', revision: batch.revision })
        if (batch.kind === 'resync') {
          await this.#pass('copying', await this.#newestRevision(), undefined, signal)
          return
        }
        if (batch.kind !== 'events') continue
        await this.#writer.write(foldEvents(batch.events), {
          phase: 'follow',
          revision: batch.revision,
          cursor: '',
        })
        this.#options.progressed?.({ step: 'following', revision: batch.revision })
      }
    } finally {
      watch.close()
    }
  }

  async #newestRevision(store: Store = this.#options.from): Promise<number> {
    const read = store.range.bind(store, { key: markerKey, countOnly: true })
    return patiently(this.#options.world, undefined, async () => (await read()).revision)
  }

  /** Every change makes one revision: small ones, many at a time, until the new store is past the old one, or nobody waits for it any more. */
  async #raise(past: number, signal?: AbortSignal): Promise<void> {
    const { to, world } = this.#options
    const ask = (then: readonly Operation[]): Promise<number> =>
      patiently(world, signal, async () => (await to.txn({ then })).revision)
    let revision = await this.#newestRevision(to)
    while (revision <= past && signal?.aborted !== true) {
      const count = Math.min(raisingAtOnce, past - revision + 1)
      const put: Operation = { op: 'put', key: raiseKey, value: new Uint8Array(0) }
      revision = Math.max(...(await Promise.all(Array.from({ length: count }, () => ask([put])))))
      this.#options.progressed?.({ step: 'raising', revision })
    }
    await ask([{ op: 'delete', key: raiseKey }])
  }

  async #markMoved(): Promise<void> {
    const { from, world } = this.#options
    const value = encodeMarker({ ...this.#source, state: 'moved' })
    await patiently(world, undefined, () => from.txn({ then: [{ op: 'put', key: markerKey, value }] }))
  }
}

function rangeOf({ range }: MigrationOptions): KeyRange {
  return range ?? { key: '\u0001', end: null }
}

async function markerIn({ world }: MigrationOptions, store: Store): Promise<Marker | undefined> {
  const { kvs } = await patiently(world, undefined, () => store.range({ key: markerKey }))
  return kvs[0] && decodeMarker(kvs[0].value)
}

/** The old store tells of one migration at a time; one that is done makes way for the next. */
async function sourceMarker(
  options: MigrationOptions,
  target: TargetMarker | undefined,
): Promise<SourceMarker> {
  const found = await markerIn(options, options.from)
  if (found?.role === 'target') throw filling()
  if (target !== undefined) {
    if (found?.id === target.id) return found
    throw new AlthingError(
      'conflict',
      'the new store is being filled from another store, or its old one has moved elsewhere since',
      {
        outcome: 'none',
      },
    )
  }
  const marker: SourceMarker = { role: 'source', id: randomId(options.world), state: 'moving' }
  await patiently(options.world, undefined, () =>
    options.from.txn({ then: [{ op: 'put', key: markerKey, value: encodeMarker(marker) }] }),
  )
  return marker
}

async function takeOver(
  options: MigrationOptions,
  found: Marker | undefined,
  next: TargetMarker,
): Promise<void> {
  const { to, world } = options
  const compare =
    found === undefined
      ? { target: 'version' as const, key: markerKey, op: '=' as const, value: 0 }
      : { target: 'value' as const, key: markerKey, op: '=' as const, value: encodeMarker(found) }
  const isTaken = await patiently(world, undefined, async () => {
    const reply = await to.txn({
      compare: [compare],
      then: [{ op: 'put', key: markerKey, value: encodeMarker(next) }],
    })
    if (reply.succeeded) return true
    const now = await markerIn(options, to)
    return now?.role === 'target' && now.run === next.run
  })
  if (isTaken) return
  throw new AlthingError('conflict', 'another run of a migration has just begun in the new store', {
    outcome: 'none',
  })
}

async function assertEmpty(options: MigrationOptions): Promise<void> {
  const { count } = await patiently(options.world, undefined, () =>
    options.to.range({ ...rangeOf(options), countOnly: true }),
  )
  if (count > 0) throw occupied(count)
}

function occupied(count?: number): AlthingError {
  const what = count === undefined ? 'was moved from here before' : `has ${count} keys in the range already`
  return new AlthingError(
    'conflict',
    `the new store ${what}: give an empty one, or let its keys make way (replace)`,
    {
      outcome: 'none',
    },
  )
}

function filling(): AlthingError {
  return new AlthingError('conflict', 'the old store is itself being filled by a migration', {
    outcome: 'none',
  })
}

function randomId({ random }: Pick<World, 'random'>): string {
  return Buffer.from(random.bytes(8)).toString('hex')
}
