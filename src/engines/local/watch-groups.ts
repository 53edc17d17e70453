import { IntervalTree } from '../../base/interval-tree.ts'
import type { ByteString } from '../../base/bytes.ts'
import type { KeyRange, WatchEvent } from '../../contracts/store.ts'
import type { WatchGroup } from './watch-group.ts'

/**
 * The groups of watchers, one to each range that is watched. Those that a key concerns are found in logarithmic time (plus their number): single keys in a map, ranges in
 * an interval tree.
 */
export class WatchGroups {
  readonly #byKey = new Map<ByteString, WatchGroup>()
  readonly #byRange = new IntervalTree<ByteString, WatchGroup>()

  get(range: KeyRange): WatchGroup | undefined {
    return range.end === undefined ? this.#byKey.get(range.key) : this.#byRange.get(range.key, range.end)
  }

  add(group: WatchGroup): void {
    const { key, end } = group.range
    if (end === undefined) this.#byKey.set(key, group)
    else this.#byRange.set(key, end, group)
  }

  delete({ range: { key, end } }: WatchGroup): void {
    if (end === undefined) this.#byKey.delete(key)
    else this.#byRange.delete(key, end)
  }

  /** The events of each group that one of them concerns, in their order. */
  concernedBy(events: readonly WatchEvent[]): Map<WatchGroup, WatchEvent[]> {
    const concerned = new Map<WatchGroup, WatchEvent[]>()
    for (const event of events) {
      const key = keyOf(event)
      const found = (group: WatchGroup): void => {
        const own = concerned.get(group)
        if (own === undefined) concerned.set(group, [event])
        else own.push(event)
      }
      const single = this.#byKey.get(key)
      if (single !== undefined) found(single)
      this.#byRange.stab(key, found)
    }
    return concerned
  }

  *[Symbol.iterator](): Generator<WatchGroup, void, undefined> {
    yield* this.#byKey.values()
    yield* this.#byRange.values()
  }
}

export function keyOf(event: WatchEvent): ByteString {
  return event.type === 'put' ? event.kv.key : event.key
}
