import { invalidArgument } from '../../contracts/errors.ts'
import type { KeyHash } from './key-hash.ts'

export interface HashRingOptions {
  /**
   * Points on the ring for a member of weight 1. Default 2000: of 100 members the largest share is then at most a tenth over the mean; with 150 it is about a fifth, for a
   * thirteenth of the memory (some 12 bytes a point). With more than 1,000 members, fewer do. 1..10,000.
   */
  readonly virtualNodes?: number
}

export const hashRingDefaults = { virtualNodes: 2_000, loadFactor: 1.25 } as const

/** 2^20: a point packs its hash (32 bits) and its member's index (20 bits) into one double's 52 exact bits. */
export const ringMembersMax = 2 ** 20

/**
 * The ring is looked at from 2^18 places, so a table of their owners answers a lookup: small enough for a processor's cache. The same for every ring: a number that
 * grew with the members would move keys when they come.
 */
const placeBits = 18
const placeShift = 32 - placeBits

interface Ring {
  /** Members by name, so that the ring does not depend on the order in which they came. */
  readonly members: readonly string[]
  /** The hashes of the points, ascending. */
  readonly hashes: Uint32Array
  /** Index into `members` of the owner of the point at the same place of `hashes`. */
  readonly owners: Uint32Array
  /** Index into `members` of the owner of each place. */
  readonly placeOwners: Uint16Array | Uint32Array
}

/**
 * Consistent hashing (Karger et al., 1997) with virtual nodes and weights. A key belongs to the member of the first point at
 * or after the key's place, going round; its place is the start of the 2^18th part of the ring that its hash falls into. Two rings with the same members and weights agree on every key, in any process.
 *
 * - Adding a member takes keys only from others to it, removing one moves only its own keys: about 1/n of all.
 * - A lookup is one look into a table of 512 KiB, whatever the number of points. A change is done at the next lookup, O(points log points), and several changes at once.
 *
 * Not for keys that an adversary may choose in order to burden one member: the hash has no secret.
 */
export class HashRing {
  readonly #hash: KeyHash
  readonly #virtualNodes: number
  readonly #weights = new Map<string, number>()
  readonly #points = new Map<string, Uint32Array>()
  #ring: Ring | undefined

  constructor(hash: KeyHash, options: HashRingOptions = {}) {
    const virtualNodes = options.virtualNodes ?? hashRingDefaults.virtualNodes
    if (!Number.isInteger(virtualNodes) || virtualNodes < 1 || virtualNodes > 10_000)
      throw invalidArgument('virtualNodes', virtualNodes, 'an integer in 1..10000')
    this.#hash = hash
    this.#virtualNodes = virtualNodes
  }

  get size(): number {
    return this.#weights.size
  }

  /** Members by name, with their weights. */
  members(): ReadonlyMap<string, number> {
    return new Map([...this.#weights].sort(([a], [b]) => (a < b ? -1 : 1)))
  }

  /** Adds the member, or gives it another weight. A weight of 2 owns twice the share of 1. Weights: 0.01..100. */
  add(member: string, weight = 1): void {
    if (!(weight >= 0.01 && weight <= 100)) throw invalidArgument('weight', weight, 'a number in 0.01..100')
    if (this.#weights.get(member) === weight) return
    if (!this.#weights.has(member) && this.size >= ringMembersMax)
      throw invalidArgument('members', this.size + 1, `at most ${ringMembersMax}`)
    this.#weights.set(member, weight)
    this.#points.set(member, this.#pointsOf(member, weight))
    this.#ring = undefined
  }

  /** False when there was no such member. */
  remove(member: string): boolean {
    if (!this.#weights.delete(member)) return false
    this.#points.delete(member)
    this.#ring = undefined
    return true
  }

  /** `undefined` only when the ring is empty. */
  owner(key: string): string | undefined {
    const { members, placeOwners } = this.#current()
    return members[placeOwners[this.#hash(key) >>> placeShift] as number]
  }

  /** The first `count` distinct members from the key's place on, in ring order: all members when there are fewer. */
  owners(key: string, count: number): string[] {
    const found: string[] = []
    for (const member of this.walk(key)) {
      if (found.length >= count) break
      found.push(member)
    }
    return found
  }

  /** Every member once, in the order in which they would inherit the key. */
  *walk(key: string): Generator<string, void> {
    const ring = this.#current()
    const total = ring.hashes.length
    if (total === 0) return
    const seen = new Set<number>()
    const first = firstPoint(ring.hashes, (this.#hash(key) >>> placeShift) << placeShift)
    for (let i = 0; i < total && seen.size < ring.members.length; i++) {
      const at = (first + i) % total
      const owner = ring.owners[at] as number
      if (seen.has(owner)) continue
      seen.add(owner)
      yield ring.members[owner] as string
    }
  }

  /**
   * Consistent hashing with bounded loads (Mirrokni, Thorup and Zadimoghaddam, 2016): the first member in ring order whose load,
   * with this key, stays within `factor` times its fair share of the total. `loadOf` tells the load each member has now.
   * With `factor` > 1 some member always has room. `undefined` only when the ring is empty.
   */
  ownerWithinLoad(
    key: string,
    loadOf: (member: string) => number,
    factor: number = hashRingDefaults.loadFactor,
  ): string | undefined {
    if (!(factor > 1)) throw invalidArgument('factor', factor, 'a number greater than 1')
    let load = 1
    let weights = 0
    for (const [member, weight] of this.#weights) {
      load += loadOf(member)
      weights += weight
    }
    for (const member of this.walk(key)) {
      const share = (this.#weights.get(member) as number) / weights
      if (loadOf(member) + 1 <= Math.ceil(factor * load * share)) return member
    }
    return this.owner(key)
  }

  #pointsOf(member: string, weight: number): Uint32Array {
    const count = Math.max(1, Math.round(this.#virtualNodes * weight))
    return Uint32Array.from({ length: count }, (_, i) => this.#hash(`${member}#${i}`))
  }

  #current(): Ring {
    this.#ring ??= buildRing(this.#points)
    return this.#ring
  }
}

function buildRing(points: ReadonlyMap<string, Uint32Array>): Ring {
  const members = [...points.keys()].sort()
  let total = 0
  for (const own of points.values()) total += own.length
  const packed = new Float64Array(total)
  let next = 0
  members.forEach((member, index) => {
    for (const hash of points.get(member) as Uint32Array) packed[next++] = hash * ringMembersMax + index
  })
  packed.sort()
  const hashes = new Uint32Array(total)
  const owners = new Uint32Array(total)
  packed.forEach((point, i) => {
    const hash = Math.floor(point / ringMembersMax)
    hashes[i] = hash
    owners[i] = point - hash * ringMembersMax
  })
  return { members, hashes, owners, placeOwners: placeOwners(hashes, owners, members.length) }
}

function placeOwners(hashes: Uint32Array, owners: Uint32Array, members: number): Ring['placeOwners'] {
  const table = members <= 2 ** 16 ? new Uint16Array(2 ** placeBits) : new Uint32Array(2 ** placeBits)
  let point = 0
  for (let place = 0; place < table.length; place++) {
    const start = place * 2 ** placeShift
    while (point < hashes.length && (hashes[point] as number) < start) point++
    table[place] = owners[point === hashes.length ? 0 : point] ?? 0
  }
  return table
}

/** Index of the first point at or after `start`, or 0 past the last. */
function firstPoint(hashes: Uint32Array, start: number): number {
  const from = start >>> 0
  let low = 0
  let high = hashes.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((hashes[middle] as number) < from) low = middle + 1
    else high = middle
  }
  return low === hashes.length ? 0 : low
}
