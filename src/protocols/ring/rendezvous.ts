import { invalidArgument } from '../../contracts/errors.ts'
import type { KeyHash } from './key-hash.ts'

interface Member {
  readonly name: string
  readonly weight: number
  readonly hash: number
}

/**
 * Rendezvous hashing, "highest random weight" (Thaler and Ravishankar, 1998), with weights by the logarithmic method (Schindelhauer and Schomaker, 2005). A key
 * belongs to the member with the highest score for it. Two with the same members and weights agree on every key, in any process.
 *
 * - Shares are as even as the hash: no points, nothing to tune. A change of the members moves only keys of, or to, the member that changed.
 * - A lookup looks at every member, O(n): for tens of members. Many keys and hundreds of members are for {@link HashRing}.
 */
export class Rendezvous {
  readonly #hash: KeyHash
  /** By name, so that it does not matter who came first, and equal scores fall to the first name. */
  #members: readonly Member[] = []
  #isWeighted = false

  constructor(hash: KeyHash) {
    this.#hash = hash
  }

  get size(): number {
    return this.#members.length
  }

  /** Members by name, with their weights. */
  members(): ReadonlyMap<string, number> {
    return new Map(this.#members.map(({ name, weight }) => [name, weight]))
  }

  /** Adds the member, or gives it another weight. A weight of 2 owns twice the share of 1. Weights: 0.01..100. */
  add(member: string, weight = 1): void {
    if (!(weight >= 0.01 && weight <= 100)) throw invalidArgument('weight', weight, 'a number in 0.01..100')
    const others = this.#members.filter(({ name }) => name !== member)
    this.#keep([...others, { name: member, weight, hash: this.#hash(member) }])
  }

  /** False when there was no such member. */
  remove(member: string): boolean {
    const others = this.#members.filter(({ name }) => name !== member)
    const wasThere = others.length < this.size
    this.#keep(others)
    return wasThere
  }

  /** `undefined` only when there is no member. */
  owner(key: string): string | undefined {
    const keyHash = this.#hash(key)
    let best: Member | undefined
    let bestScore = Number.NEGATIVE_INFINITY
    for (const member of this.#members) {
      const score = this.#score(keyHash, member)
      if (score <= bestScore) continue
      best = member
      bestScore = score
    }
    return best?.name
  }

  /** The first `count` members by score: all when there are fewer. The next of them inherits the key when one leaves. */
  owners(key: string, count: number): string[] {
    const keyHash = this.#hash(key)
    const scored = this.#members.map((member) => ({ name: member.name, score: this.#score(keyHash, member) }))
    return scored
      .sort((a, b) => b.score - a.score)
      .slice(0, Math.max(0, count))
      .map(({ name }) => name)
  }

  #keep(members: Member[]): void {
    this.#members = members.sort((a, b) => (a.name < b.name ? -1 : 1))
    this.#isWeighted = members.some(({ weight }) => weight !== members[0]?.weight)
  }

  /** With equal weights the logarithm changes nothing in the order, and is left out. */
  #score(keyHash: number, { hash, weight }: Member): number {
    const uniform = mixed(keyHash, hash)
    return this.#isWeighted ? -weight / Math.log((uniform + 0.5) / 2 ** 52) : uniform
  }
}

/** 52 bits of two hashes: MurmurHash3's finalizer over both of their combinations. */
function mixed(key: number, member: number): number {
  const high = finalized(key ^ finalized(member + 0x9e3779b9))
  const low = finalized(high ^ Math.imul(key, 0x85ebca6b) ^ member)
  return (high >>> 0) * 2 ** 20 + (low >>> 12)
}

function finalized(value: number): number {
  let bits = Math.imul(value ^ (value >>> 16), 0x85ebca6b)
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35)
  return bits ^ (bits >>> 16)
}
