const capacityMin = 64

/**
 * Values under numbers that the table gives out: each larger than the one before, none given twice. For what is added and taken away all the time.
 *
 * A `Map` does that badly in V8: when it has seen enough deletions it moves to a new table, to which the old one points. Once one such table has become old,
 * each later one, and all it holds at that moment, is kept from the young collector, and every collection copies them for nothing.
 */
export class SlotTable<T> {
  /** Slot `id & mask`; an id whose slot is taken is never given out. */
  #values: (T | undefined)[] = newSlots(capacityMin)
  #ids = new Float64Array(capacityMin)
  #next = 1
  #size = 0

  get size(): number {
    return this.#size
  }

  /** Returns the number, greater than 0, under which `value` is kept. */
  add(value: T): number {
    if (this.#size * 2 >= this.#values.length) this.#grow()
    const mask = this.#values.length - 1
    while (this.#values[this.#next & mask] !== undefined) this.#next++
    const id = this.#next++
    this.#values[id & mask] = value
    this.#ids[id & mask] = id
    this.#size++
    return id
  }

  /** A number for something that is not kept. */
  skip(): number {
    return this.#next++
  }

  get(id: number): T | undefined {
    const slot = id & (this.#values.length - 1)
    return this.#ids[slot] === id ? this.#values[slot] : undefined
  }

  /** Removes and returns what is kept under `id`. */
  take(id: number): T | undefined {
    const slot = id & (this.#values.length - 1)
    if (this.#ids[slot] !== id) return undefined
    const value = this.#values[slot]
    if (value === undefined) return undefined
    this.#values[slot] = undefined
    this.#size--
    return value
  }

  /** Removes and returns all, in the order in which they were added. */
  takeAll(): T[] {
    const kept = this.#entries().toSorted(([a], [b]) => a - b)
    this.#values = newSlots(capacityMin)
    this.#ids = new Float64Array(capacityMin)
    this.#size = 0
    return kept.map(([, value]) => value)
  }

  #entries(): [number, T][] {
    return this.#values.flatMap((value, slot) =>
      value === undefined ? [] : [[this.#ids[slot] as number, value] as [number, T]],
    )
  }

  /** Numbers with slots of their own have them in a table of twice the size too. */
  #grow(): void {
    const kept = this.#entries()
    const capacity = this.#values.length * 2
    this.#values = newSlots(capacity)
    this.#ids = new Float64Array(capacity)
    for (const [id, value] of kept) {
      this.#values[id & (capacity - 1)] = value
      this.#ids[id & (capacity - 1)] = id
    }
  }
}

function newSlots<T>(capacity: number): (T | undefined)[] {
  return Array.from({ length: capacity }, () => undefined)
}
