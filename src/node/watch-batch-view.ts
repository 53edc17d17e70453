import type { WatchBatch, WatchEvent } from '../contracts/store.ts'
import { keyValueView, type KeyValueView, keyView } from './key-value-view.ts'

/** A batch of a watch as JSON. `revision`: all up to it has been told. */
export type WatchBatchView =
  | { readonly kind: 'created' | 'progress'; readonly revision: number }
  | { readonly kind: 'events'; readonly revision: number; readonly events: readonly WatchEventView[] }
  /** Changes since `fromRevision` were compacted away: `items` is all there is. */
  | {
      readonly kind: 'resync'
      readonly fromRevision: number
      readonly revision: number
      readonly items: readonly KeyValueView[]
    }

export type WatchEventView =
  | { readonly type: 'put'; readonly item: KeyValueView; readonly previous?: KeyValueView }
  | {
      readonly type: 'delete'
      readonly key?: string
      readonly keyBase64?: string
      readonly revision: number
      readonly previous?: KeyValueView
    }

export function watchBatchView(batch: WatchBatch): WatchBatchView {
  switch (batch.kind) {
    case 'created':
    case 'progress':
      return { kind: batch.kind, revision: batch.revision }
    case 'events':
      return { kind: 'events', revision: batch.revision, events: batch.events.map(watchEventView) }
    case 'resync': {
      const { fromRevision, revision } = batch
      return { kind: 'resync', fromRevision, revision, items: batch.kvs.map((kv) => keyValueView(kv)) }
    }
  }
}

function watchEventView(event: WatchEvent): WatchEventView {
  const previous = event.previous === undefined ? {} : { previous: keyValueView(event.previous) }
  if (event.type === 'put') return { type: 'put', item: keyValueView(event.kv), ...previous }
  return { type: 'delete', ...keyView(event.key), revision: event.modRevision, ...previous }
}
