import type { ByteString } from '../base/bytes.ts'
import { isAlthingError } from '../contracts/errors.ts'
import type { KeyValue, Store, WatchBatch } from '../contracts/store.ts'
import type { World } from '../contracts/world.ts'
import { pause } from './abortable.ts'
import { readWholeRange } from './range-pages.ts'
import { probeReachability } from './discovery/reachability-probe.ts'

export interface RangeFollowerOptions {
  readonly store: Store
  readonly world: World
  readonly range: { readonly key: ByteString; readonly end: ByteString }
  readonly signal: AbortSignal
  /** The range changed, or was read for the first time. Not called for what lies between two states that arrive together. */
  readonly onState: (state: RangeState) => void
  /** The store answered or reported something, up to this revision (0: that it is there). */
  readonly onHeard?: (revision: number) => void
  /** See `WatchRequest.progressMs`. */
  readonly progressMs?: number
}

export interface RangeState {
  readonly revision: number
  readonly kvs: ReadonlyMap<ByteString, KeyValue>
  /** The keys that may differ from the state before; absent when any may. */
  readonly changed?: readonly ByteString[]
}

const retryMsMin = 100
const retryMsMax = 2_000

/**
 * Holds a copy of a range and keeps it up to date: reads it once, then follows its watch. What it knows stays while the store cannot be
 * reached; it tries again for ever, with pauses from 100 ms to 2 s.
 *
 * Resolves when the signal fires. Rejects with `closed` when the store is closed, and with what trying again cannot mend.
 */
export async function followRange(options: RangeFollowerOptions): Promise<void> {
  let failures = 0
  while (!options.signal.aborted) {
    try {
      await followOnce(options, () => {
        failures = 0
      })
    } catch (error) {
      if (options.signal.aborted) return
      if (isAlthingError(error) && !error.retryable && error.code !== 'compacted') throw error
      options.world.logger.log('debug', 'a range cannot be followed for now', {
        key: options.range.key,
        error: String(error),
      })
    }
    await pause(options.world, Math.min(retryMsMax, retryMsMin * 2 ** failures), options.signal)
    failures = Math.min(failures + 1, 10)
  }
}

async function followOnce(options: RangeFollowerOptions, onSuccess: () => void): Promise<void> {
  const { store, range, signal } = options
  const first = await readWholeRange(store, range, { signal })
  if (signal.aborted) return
  onSuccess()
  const kvs = new Map(first.kvs.map((kv) => [kv.key, kv]))
  options.onHeard?.(first.revision)
  options.onState({ revision: first.revision, kvs })
  const watch = store.watch({
    ...range,
    fromRevision: first.revision + 1,
    signal,
    ...(options.progressMs === undefined ? {} : { progressMs: options.progressMs }),
  })
  const over = new AbortController()
  void probeWhereWatchesAreSilent(options, AbortSignal.any([signal, over.signal]))
  try {
    for await (const batch of watch) {
      if (signal.aborted) return
      const changed = applyBatch(kvs, batch)
      options.onHeard?.(batch.revision)
      if (changed === undefined) continue
      const { revision } = batch
      options.onState(changed === 'any' ? { revision, kvs } : { revision, kvs, changed })
    }
  } finally {
    over.abort()
    watch.close()
  }
}

/** Without it, what is followed would look stale whenever nothing happens. */
async function probeWhereWatchesAreSilent(options: RangeFollowerOptions, signal: AbortSignal): Promise<void> {
  const { store, world, range, progressMs } = options
  if (progressMs === undefined || (store.capabilities.watchProgressMsMin ?? 0) <= progressMs) return
  await probeReachability({ store, world, key: range.key }, progressMs, signal, () => options.onHeard?.(0))
}

/** The keys that changed; `undefined` when none did. */
function applyBatch(
  kvs: Map<ByteString, KeyValue>,
  batch: WatchBatch,
): readonly ByteString[] | 'any' | undefined {
  if (batch.kind === 'resync') {
    kvs.clear()
    for (const kv of batch.kvs) kvs.set(kv.key, kv)
    return 'any'
  }
  if (batch.kind !== 'events') return undefined
  const changed: ByteString[] = []
  for (const event of batch.events) {
    changed.push(event.type === 'put' ? event.kv.key : event.key)
    if (event.type === 'put') kvs.set(event.kv.key, event.kv)
    else kvs.delete(event.key)
  }
  return changed.length > 0 ? changed : undefined
}
