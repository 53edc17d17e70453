import { equalBytes, type ByteString } from '../base/bytes.ts'
import type { KeyRange, KeyValue, Store } from '../contracts/store.ts'
import type { World } from '../contracts/world.ts'
import { markerKey, raiseKey } from './marker.ts'
import { patiently } from './patiently.ts'
import type { Change, TargetWriter } from './target-writer.ts'

export interface ReconcileOptions {
  readonly from: Store
  readonly to: Store
  readonly world: Pick<World, 'clock' | 'timers'>
  readonly signal?: AbortSignal
  readonly range: KeyRange
  /** Of the old store: what the new one is made equal to. */
  readonly revision: number
  /** Keys before this one are done. */
  readonly cursor?: ByteString
  readonly writer: TargetWriter
  /** What is known of the new store when this pass ends. */
  readonly phase: 'copy' | 'follow'
  passed?(tally: Tally): void
}

export interface Tally {
  keys: number
  bytes: number
  /** Keys that hang on leases: they belong to programs that run, which make them anew where they go. */
  leased: number
  /** Keys that were missing in the new store, another there, or too many. */
  differences: number
}

const pageKeys = 500

/**
 * Walks the range in both stores, in the order of the keys, and makes the new one equal: copies into an empty store, mends one that has fallen behind, and finds that nothing
 * differs in one that is whole. Rejects with `compacted` when the old store has forgotten `revision` meanwhile.
 */
export async function reconcile(options: ReconcileOptions): Promise<Tally> {
  const { from, range, revision, writer, phase } = options
  const tally: Tally = { keys: 0, bytes: 0, leased: 0, differences: 0 }
  let cursor = options.cursor ?? range.key
  for (;;) {
    const page = await readFrom(options, from, { ...range, key: cursor, revision, limit: pageKeys })
    const last = page.kvs.at(-1)
    const isEnd = !page.more || last === undefined
    const end = isEnd ? (range.end ?? null) : after(last.key)
    const there = await readAll(options, { key: cursor, end })
    const changes = differences(page.kvs, there, tally)
    await writer.write(changes, {
      phase: isEnd ? phase : 'copy',
      revision,
      cursor: isEnd ? '' : (end as ByteString),
    })
    tally.differences += changes.length
    options.passed?.(tally)
    if (isEnd) return tally
    cursor = end as ByteString
  }
}

/** The smallest key after `key`. */
function after(key: ByteString): ByteString {
  return `${key}\u0000`
}

function differences(here: readonly KeyValue[], there: readonly KeyValue[], tally: Tally): Change[] {
  const old = new Map(there.map((kv) => [kv.key, kv]))
  const changes: Change[] = []
  for (const kv of here) {
    if (isOwn(kv.key)) continue
    if (kv.lease !== 0) {
      tally.leased++
      continue
    }
    tally.keys++
    tally.bytes += kv.key.length + kv.value.byteLength
    const known = old.get(kv.key)
    old.delete(kv.key)
    if (known === undefined || known.lease !== 0 || !equalBytes(known.value, kv.value))
      changes.push({ op: 'put', key: kv.key, value: kv.value })
  }
  // What hangs on a lease there has been made by a program that is there already.
  for (const { key, lease } of old.values())
    if (lease === 0 && !isOwn(key)) changes.push({ op: 'delete', key })
  return changes
}

export function isOwn(key: ByteString): boolean {
  return key === markerKey || key === raiseKey
}

type Page = Parameters<Store['range']>[0]

function readFrom({ world, signal }: ReconcileOptions, store: Store, page: Page) {
  return patiently(world, signal, () => store.range(page, signal === undefined ? {} : { signal }))
}

async function readAll(options: ReconcileOptions, range: KeyRange): Promise<KeyValue[]> {
  const kvs: KeyValue[] = []
  let { key } = range
  for (;;) {
    const page = await readFrom(options, options.to, { ...range, key, limit: pageKeys })
    kvs.push(...page.kvs)
    const last = page.kvs.at(-1)
    if (!page.more || last === undefined) return kvs
    key = after(last.key)
  }
}
