import type { ByteString } from '../base/bytes.ts'
import type { WatchEvent } from '../contracts/store.ts'
import { isOwn } from './reconcile.ts'
import type { Change } from './target-writer.ts'

/** What the events of whole revisions leave behind: one change for each key, the last one. A key that hangs on a lease now is not moved, and so is gone. */
export function foldEvents(events: readonly WatchEvent[]): Change[] {
  const changes = new Map<ByteString, Change>()
  for (const event of events) {
    const key = event.type === 'put' ? event.kv.key : event.key
    if (isOwn(key)) continue
    if (event.type === 'put' && event.kv.lease === 0)
      changes.set(key, { op: 'put', key, value: event.kv.value })
    else changes.set(key, { op: 'delete', key })
  }
  return [...changes.values()]
}
