import { belongsTo } from './identifiers.ts'
import type { ChordId, ChordItem, ChordVersion } from './types.ts'

interface Held {
  item: ChordItem
  touchedMs: number
}

/** Whether `a` is the later one: a total order, as no writer uses a counter twice. */
export function isLater(a: ChordVersion, b: ChordVersion): boolean {
  return a.counter > b.counter || (a.counter === b.counter && a.writer > b.writer)
}

/** The items of one node: those that it owns, and copies for others. */
export class ItemStore {
  readonly #items = new Map<string, Held>()
  readonly #itemsMax: number

  constructor(itemsMax: number) {
    this.#itemsMax = itemsMax
  }

  get size(): number {
    return this.#items.size
  }

  get(key: string): ChordItem | undefined {
    return this.#items.get(key)?.item
  }

  /** Of two versions the later one stays. False when there is no room. */
  take(item: ChordItem, nowMs: number): boolean {
    const held = this.#items.get(item.key)
    if (held === undefined) {
      if (this.#items.size >= this.#itemsMax) return false
      this.#items.set(item.key, { item, touchedMs: nowMs })
      return true
    }
    held.touchedMs = nowMs
    if (isLater(item.version, held.item.version)) held.item = item
    return true
  }

  /** Items in (from, to]; all when there is no node before. */
  within(from: ChordId | undefined, to: ChordId): ChordItem[] {
    const items = [...this.#items.values()].map(({ item }) => item)
    return from === undefined ? items : items.filter(({ id }) => belongsTo(from, id, to))
  }

  /** Copies outside of (from, to] that nobody has sent since: this node is not the one to hold them any more. */
  untouched(from: ChordId, to: ChordId, sinceMs: number, count: number): ChordItem[] {
    const stale: ChordItem[] = []
    for (const { item, touchedMs } of this.#items.values()) {
      if (stale.length === count) break
      if (touchedMs < sinceMs && !belongsTo(from, item.id, to)) stale.push(item)
    }
    return stale
  }

  /** Unless a later one has come meanwhile. */
  drop(item: ChordItem): void {
    const held = this.get(item.key)
    if (held !== undefined && !isLater(held.version, item.version)) this.#items.delete(item.key)
  }
}
