import type { Random } from '../../contracts/world.ts'
import type { MemberId } from './types.ts'

/**
 * Whom to probe next: round and round through a list that is shuffled anew after each round, and into which new members are put at a random place (section 4.3 of the SWIM
 * paper). So between two probes of one member lie at most `2n - 1` periods.
 */
export class ProbeOrder {
  readonly #random: Random
  #order: MemberId[] = []
  readonly #position = new Map<MemberId, number>()
  #next = 0

  constructor(random: Random) {
    this.#random = random
  }

  get size(): number {
    return this.#order.length
  }

  has(id: MemberId): boolean {
    return this.#position.has(id)
  }

  add(id: MemberId): void {
    if (this.#position.has(id)) return
    // The one who stood there goes to the end: it has its turn in this round, if perhaps twice.
    const place = this.#random.integer(0, this.#order.length)
    const moved = this.#order[place]
    this.#put(this.#order.length, moved ?? id)
    if (moved !== undefined) this.#put(place, id)
  }

  remove(id: MemberId): void {
    const place = this.#position.get(id)
    if (place === undefined) return
    this.#position.delete(id)
    // Those who had their turn stay before `next`, those who wait behind it.
    let hole = place
    if (place < this.#next) {
      this.#next--
      hole = this.#fill(hole, this.#next)
    }
    this.#fill(hole, this.#order.length - 1)
    this.#order.pop()
  }

  next(): MemberId | undefined {
    if (this.#order.length === 0) return undefined
    if (this.#next >= this.#order.length) this.#shuffle()
    return this.#order[this.#next++]
  }

  /** Up to `count` different members, none of them among `except`. */
  some(count: number, isFit: (id: MemberId) => boolean): MemberId[] {
    const size = this.#order.length
    const found: MemberId[] = []
    const start = size === 0 ? 0 : this.#random.integer(0, size - 1)
    // A few draws find them among many; a walk through all finds them among few.
    for (let i = 0; i < 3 * count && size > 4 * count && found.length < count; i++) {
      const id = this.#order[this.#random.integer(0, size - 1)] as MemberId
      if (!found.includes(id) && isFit(id)) found.push(id)
    }
    for (let i = 0; i < size && found.length < count; i++) {
      const id = this.#order[(start + i) % size] as MemberId
      if (!found.includes(id) && isFit(id)) found.push(id)
    }
    return found
  }

  #fill(hole: number, from: number): number {
    if (from !== hole) this.#put(hole, this.#order[from] as MemberId)
    return from
  }

  #put(place: number, id: MemberId): void {
    this.#order[place] = id
    this.#position.set(id, place)
  }

  #shuffle(): void {
    this.#next = 0
    for (let last = this.#order.length - 1; last > 0; last--) {
      const other = this.#random.integer(0, last)
      const moved = this.#order[last] as MemberId
      this.#put(last, this.#order[other] as MemberId)
      this.#put(other, moved)
    }
  }
}
