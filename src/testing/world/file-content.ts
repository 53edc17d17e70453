import type { SeededRandom } from './seeded-random.ts'
import { SparseBytes } from './sparse-bytes.ts'

/** The unit in which a disk writes: a sector reaches the platter whole or not at all. */
export const sectorBytes = 512

/** What becomes of writes that no sync has covered when the power goes. */
export type CrashRule = 'lost' | 'kept' | 'torn'

interface Range {
  readonly start: number
  readonly end: number
}

/** A sync under way: the writes it covers. */
export interface SyncTicket {
  readonly number: number
  readonly ranges: readonly Range[]
  readonly size: number
}

/** The bytes of one file, twice: as the program reads them (page cache) and as they survive a loss of power (platter). */
export class FileContent {
  readonly #cache = new SparseBytes()
  readonly #platter = new SparseBytes()
  readonly #syncing = new Set<SyncTicket>()
  #dirty: Range[] = []
  #lastTicket = 0
  #lastSized = 0

  get size(): number {
    return this.#cache.size
  }

  get hasUnsynced(): boolean {
    return this.#dirty.length > 0 || this.#syncing.size > 0 || this.#cache.size !== this.#platter.size
  }

  read(offset: number, length: number): Uint8Array {
    return this.#cache.read(offset, length)
  }

  write(offset: number, bytes: Uint8Array): void {
    if (bytes.byteLength === 0) return
    const hole = Math.min(offset, this.#cache.size)
    this.#cache.write(offset, bytes)
    this.#markDirty(hole, offset + bytes.byteLength)
  }

  truncate(size: number): void {
    const before = this.#cache.size
    this.#cache.resize(size)
    this.#markDirty(Math.min(before, size), Math.max(before, size, this.#platter.size))
  }

  beginSync(): SyncTicket {
    // What an earlier sync has not finished is waited for by this one too.
    const ranges = [...this.#syncing].flatMap((earlier) => earlier.ranges).concat(this.#dirty)
    const ticket: SyncTicket = { number: ++this.#lastTicket, ranges, size: this.#cache.size }
    this.#dirty = []
    this.#syncing.add(ticket)
    return ticket
  }

  completeSync(ticket: SyncTicket): void {
    if (!this.#syncing.delete(ticket)) return
    // Syncs may finish in another order than they began.
    if (ticket.number > this.#lastSized) this.#platter.resize(ticket.size)
    this.#lastSized = Math.max(this.#lastSized, ticket.number)
    for (const range of ticket.ranges) this.#persist(range.start, range.end)
  }

  /** The process that asked for the sync is gone before it was done. */
  abortSync(ticket: SyncTicket): void {
    if (this.#syncing.delete(ticket)) this.#dirty = [...ticket.ranges, ...this.#dirty]
  }

  /**
   * The kernel could not write the pages, marks them clean all the same, and forgets: a later sync succeeds without them, the
   * program goes on reading them, and they are gone after the next loss of power (Rebello et al., ATC 2020).
   */
  failSync(ticket: SyncTicket, random: SeededRandom): void {
    if (!this.#syncing.delete(ticket)) return
    for (const sector of sectorsOf(ticket.ranges)) {
      if (random.chance(0.5) && sector.end <= this.#platter.size) this.#persist(sector.start, sector.end)
    }
  }

  /** Applies the rule to all that is not synced. Returns how many sectors were lost. */
  losePower(rule: CrashRule, random: SeededRandom): number {
    const unsynced = [...this.#syncing].flatMap((ticket) => ticket.ranges).concat(this.#dirty)
    const sectors = sectorsOf(unsynced)
    let lostCount = 0
    this.#platter.resize(this.#sizeAfter(rule, random))
    for (const sector of sectors) {
      if (rule === 'kept' || (rule === 'torn' && random.chance(0.5))) this.#persist(sector.start, sector.end)
      else lostCount++
    }
    this.#cache.copyFrom(this.#platter)
    this.#dirty = []
    this.#syncing.clear()
    return lostCount
  }

  /** Damages one bit, on the platter and in what is read. */
  flipBit(byteOffset: number, bit: number): void {
    this.#cache.flipBit(byteOffset, bit)
    this.#platter.flipBit(byteOffset, bit)
  }

  /**
   * Overwrites up to `sectorCount` sectors with those of another place, on the platter and in what is read; within the size, and only with sectors that are not empty: nobody
   * can tell an empty one from one that was never written. Returns whether that has changed anything.
   */
  overwriteFrom(offset: number, source: FileContent, sourceOffset: number, sectorCount: number): boolean {
    let hasChanged = false
    for (let sector = 0; sector < sectorCount; sector++) {
      const at = offset + sector * sectorBytes
      const bytes = source.read(sourceOffset + sector * sectorBytes, sectorBytes)
      const isWhole = bytes.byteLength === sectorBytes && at + sectorBytes <= this.size
      if (!isWhole || bytes.every((byte) => byte === 0)) break
      if (Buffer.compare(bytes, this.read(at, sectorBytes)) === 0) continue
      this.#cache.write(at, bytes)
      this.#platter.write(at, bytes)
      hasChanged = true
    }
    return hasChanged
  }

  #sizeAfter(rule: CrashRule, random: SeededRandom): number {
    const synced = this.#platter.size
    const cached = this.#cache.size
    if (rule === 'lost' || synced === cached) return synced
    if (rule === 'kept') return cached
    const first = Math.ceil(Math.min(synced, cached) / sectorBytes)
    const last = Math.floor(Math.max(synced, cached) / sectorBytes)
    const between = first <= last ? [random.integer(first, last) * sectorBytes] : []
    return random.pick([synced, cached, ...between])
  }

  #persist(start: number, end: number): void {
    const length = Math.min(end, this.#platter.size) - start
    if (length > 0) this.#platter.overwriteFrom(this.#cache, start, length)
  }

  #markDirty(start: number, end: number): void {
    if (start >= end) return
    const last = this.#dirty.at(-1)
    if (last !== undefined && start <= last.end && end >= last.start) {
      this.#dirty[this.#dirty.length - 1] = {
        start: Math.min(start, last.start),
        end: Math.max(end, last.end),
      }
    } else {
      this.#dirty.push({ start, end })
    }
  }
}

/** The parts of the ranges that lie in one sector each, in order, none twice. */
function sectorsOf(ranges: readonly Range[]): Range[] {
  const numbers = new Set<number>()
  for (const { start, end } of ranges) {
    for (let sector = Math.floor(start / sectorBytes); sector * sectorBytes < end; sector++)
      numbers.add(sector)
  }
  return [...numbers]
    .sort((a, b) => a - b)
    .map((sector) => ({ start: sector * sectorBytes, end: (sector + 1) * sectorBytes }))
}
