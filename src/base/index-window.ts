import { assert } from './assert.ts'

const capacityMin = 64

/**
 * Values under whole numbers that lie close together and move up all the time: a window over a sequence, such as the entries of a log that are under way. Takes room
 * for the distance between the lowest and the highest. For why it is no `Map` see {@link SlotTable}.
 */
export class IndexWindow<T> {
  #slots: (T | undefined)[] = newSlots(capacityMin)
  /** Every index with a value is in `[#low, #high)`; #low has one unless the window is empty. */
  #low = 0
  #high = 0
  #size = 0

  get size(): number {
    return this.#size
  }

  get(index: number): T | undefined {
    if (index < this.#low || index >= this.#high) return undefined
    return this.#slots[this.#slotOf(index)]
  }

  /** Puts `value` in the place of what was there. */
  set(index: number, value: T): void {
    assert(Number.isSafeInteger(index) && index >= 0, 'an index is a whole number', { index })
    if (this.#size === 0) {
      this.#low = index
      this.#high = index
    }
    const low = Math.min(this.#low, index)
    const high = Math.max(this.#high, index + 1)
    if (high - low > this.#slots.length) this.#resize(high - low)
    this.#low = low
    this.#high = high
    const slot = this.#slotOf(index)
    if (this.#slots[slot] === undefined) this.#size++
    this.#slots[slot] = value
  }

  /** Removes and returns what is at `index`. */
  take(index: number): T | undefined {
    const value = this.get(index)
    if (value === undefined) return undefined
    this.#slots[this.#slotOf(index)] = undefined
    this.#size--
    if (this.#size === 0) this.#low = this.#high
    else while (this.#slots[this.#slotOf(this.#low)] === undefined) this.#low++
    return value
  }

  /** In the order of their indexes. */
  *entries(): Generator<[number, T]> {
    for (let index = this.#low; index < this.#high; index++) {
      const value = this.#slots[this.#slotOf(index)]
      if (value !== undefined) yield [index, value]
    }
  }

  *values(): Generator<T> {
    for (const [, value] of this.entries()) yield value
  }

  clear(): void {
    this.#slots = newSlots(capacityMin)
    this.#size = 0
    this.#low = this.#high = 0
  }

  #slotOf(index: number): number {
    return index % this.#slots.length
  }

  #resize(needed: number): void {
    const kept = [...this.entries()]
    let capacity = this.#slots.length
    while (capacity < needed) capacity *= 2
    this.#slots = newSlots(capacity)
    for (const [index, value] of kept) this.#slots[this.#slotOf(index)] = value
  }
}

function newSlots<T>(capacity: number): (T | undefined)[] {
  return Array.from({ length: capacity }, () => undefined)
}
