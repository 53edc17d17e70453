import { distance } from './identifiers.ts'
import type { ChordId, ChordPeer } from './types.ts'

export interface LookupResult {
  readonly owners: readonly ChordPeer[]
  readonly hops: number
  readonly timeouts: number
}

const candidatesMax = 32

/**
 * One iterative search (paper, section IV-B): the asker goes from node to node itself, each nearer to the identifier. One that does not answer is
 * passed over for the next nearest that any of those asked has named.
 */
export class Lookup {
  readonly id: ChordId
  readonly #asked = new Set<ChordId>()
  /** The most that anyone has named. */
  owners: readonly ChordPeer[] = []
  #candidates: ChordPeer[]
  #hops = 0
  #timeouts = 0

  constructor(id: ChordId, candidates: readonly ChordPeer[]) {
    this.id = id
    this.#candidates = [...candidates]
  }

  /** The next to ask; undefined when nobody is left. */
  next(): ChordPeer | undefined {
    const peer = this.#candidates.shift()
    if (peer !== undefined) this.#asked.add(peer.id)
    return peer
  }

  failed(): void {
    this.#timeouts += 1
  }

  /** Nearer ones before farther ones, each once. */
  answered(closer: readonly ChordPeer[], owners: readonly ChordPeer[]): void {
    this.#hops += 1
    if (owners.length > this.owners.length) this.owners = owners
    const known = new Set(this.#candidates.map(({ id }) => id))
    const fresh = closer.filter(({ id }) => !this.#asked.has(id) && !known.has(id))
    this.#candidates = [...this.#candidates, ...fresh]
      .sort((a, b) => distance(a.id, this.id) - distance(b.id, this.id))
      .slice(0, candidatesMax)
  }

  result(owners: readonly ChordPeer[]): LookupResult {
    return { owners, hops: this.#hops, timeouts: this.#timeouts }
  }
}
