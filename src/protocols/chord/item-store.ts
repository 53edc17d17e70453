import { belongsTo } from './identifiers.ts'
import type { ChordId, ChordItem } from './types.ts'

interface Held {
  item: ChordItem
  touchedMs: number
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

  /** As the owner: false when there is no room. */
  put(key: string, id: ChordId, value: Uint8Array, nowMs: number): boolean {
    const version = (this.get(key)?.version ?? 0) + 1
    return this.take({ key, id, value, version }, nowMs)
  }

  /** As a copy, or from a former owner: the greater version holds. */
  take(item: ChordItem, nowMs: number): boolean {
    const held = this.#items.get(item.key)
    if (held === undefined) {
      if (this.#items.size >= this.#itemsMax) return false
      this.#items.set(item.key, { item, touchedMs: nowMs })
      return true
    }
    held.touchedMs = nowMs
    if (item.version > held.item.version) held.item = item
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

  drop(item: ChordItem): void {
    if (this.get(item.key)?.version === item.version) this.#items.delete(item.key)
  }
}
