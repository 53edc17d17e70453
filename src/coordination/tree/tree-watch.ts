import { AlthingError } from '../../contracts/errors.ts'
import type { KeyRange, Store, WatchEvent } from '../../contracts/store.ts'
import { prefixRange } from '../locks/lock-entry.ts'
import { childrenRange, isWithin, nodeKey, nodesPrefix, pathOf } from './tree-path.ts'
import type { TreeChange, TreeEvent, WatchKind } from './tree-types.ts'

/** The first event after `after` that a watch of this kind waits for. Rejects with `compacted` when that may have been forgotten. */
export async function nextEvent(
  store: Store,
  path: string,
  kind: WatchKind,
  after: number,
  signal: AbortSignal,
): Promise<TreeEvent> {
  const ended = new AbortController()
  const both = AbortSignal.any([signal, ended.signal])
  const own = (event: TreeEvent): TreeEvent | undefined => {
    if (event.type === 'deleted' || kind === 'exist') return event
    return kind === 'data' && event.type === 'data-changed' ? event : undefined
  }
  const below = ({ type, revision }: TreeEvent): TreeEvent | undefined =>
    type === 'data-changed' ? undefined : { type: 'children-changed', path, revision }
  try {
    const waits = [firstOf(store, { key: nodeKey(path) }, after, both, own)]
    if (kind === 'child') waits.push(firstOf(store, childrenRange(path), after, both, below))
    return await Promise.race(waits)
  } finally {
    ended.abort()
  }
}

/** Every change of a node and of all below it, in order, each once. */
export async function* changesBelow(
  store: Store,
  top: string,
  after: number | undefined,
  signal: AbortSignal,
): AsyncGenerator<TreeChange, void, undefined> {
  const watch = store.watch({
    ...prefixRange(nodesPrefix),
    ...(after === undefined ? {} : { fromRevision: after + 1 }),
    signal,
  })
  try {
    for await (const batch of watch) {
      if (batch.kind === 'resync') yield { type: 'resync', revision: batch.revision }
      if (batch.kind !== 'events') continue
      for (const event of batch.events) {
        const change = treeEvent(event)
        if (isWithin(change.path, top)) yield change
      }
    }
  } finally {
    watch.close()
  }
}

async function firstOf(
  store: Store,
  range: KeyRange,
  after: number,
  signal: AbortSignal,
  choose: (event: TreeEvent) => TreeEvent | undefined,
): Promise<TreeEvent> {
  const watch = store.watch({ ...range, fromRevision: after + 1, signal })
  try {
    for await (const batch of watch) {
      if (batch.kind === 'resync') throw forgotten(batch.revision)
      if (batch.kind !== 'events') continue
      for (const event of batch.events) {
        const chosen = choose(treeEvent(event))
        if (chosen !== undefined) return chosen
      }
    }
  } finally {
    watch.close()
  }
  // It ends by its signal alone: then another part of the race has been won, or the caller knows why.
  return await new Promise<never>(() => {})
}

function treeEvent(event: WatchEvent): TreeEvent {
  if (event.type === 'delete')
    return { type: 'deleted', path: pathOf(event.key, nodesPrefix), revision: event.modRevision }
  const { key, version, modRevision } = event.kv
  const type = version === 1 ? 'created' : 'data-changed'
  return { type, path: pathOf(key, nodesPrefix), revision: modRevision }
}

function forgotten(revision: number): AlthingError {
  return new AlthingError(
    'compacted',
    'changes that the watch waited for have been compacted away: read again',
    {
      outcome: 'none',
      details: { revision },
    },
  )
}
