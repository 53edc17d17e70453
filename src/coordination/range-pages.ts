import type { ByteString } from '../base/bytes.ts'
import type { KeyValue, ReadOptions, Store } from '../contracts/store.ts'

/** The whole of a range at one revision, in as many reads as the bound on a reply asks for. */
export async function readWholeRange(
  store: Store,
  request: {
    readonly key: ByteString
    readonly end: ByteString
    readonly keysOnly?: boolean
    /** As of this revision; default the newest. */
    readonly revision?: number
  },
  options?: ReadOptions,
): Promise<{ readonly revision: number; readonly kvs: readonly KeyValue[] }> {
  const first = await store.range(request, options)
  const kvs = [...first.kvs]
  let more = first.more
  while (more) {
    const last = kvs.at(-1)
    if (last === undefined) break
    // The smallest key after the last one read.
    const next = await store.range(
      { ...request, key: `${last.key}\u0000`, revision: request.revision ?? first.revision },
      options,
    )
    kvs.push(...next.kvs)
    more = next.more && next.kvs.length > 0
  }
  return { revision: first.revision, kvs }
}

/** The reply's keys in the order in which they were made. */
export function byCreation(kvs: readonly KeyValue[]): KeyValue[] {
  return [...kvs].sort((a, b) => a.createRevision - b.createRevision || (a.key < b.key ? -1 : 1))
}
