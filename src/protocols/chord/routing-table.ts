import { belongsTo, chordIdBits, distance, fingerStart, isBetween } from './identifiers.ts'
import type { ChordId, ChordPeer, ChordPlace } from './types.ts'

/** The whole list and what joined while it was used up. */
const givenUpMax = 512
const recallsMax = 30
/** Nodes that were neighbours once. */
const rememberedMax = 64

/** What a node knows of others: predecessor, successor list, fingers. */
export class RoutingTable {
  readonly #self: ChordPeer
  readonly #successorsMax: number
  #successors: readonly ChordPeer[] = []
  readonly #fingers: (ChordPeer | undefined)[] = Array.from({ length: chordIdBits }, () => undefined)
  #nextFinger = chordIdBits
  /** Successors that were given up since one last answered. */
  readonly #givenUp = new Map<ChordId, ChordPeer>()
  #recalls = 0
  /** The one named last comes last. */
  readonly #remembered = new Map<ChordId, ChordPeer>()
  predecessor: ChordPeer | undefined

  constructor(self: ChordPeer, successorsMax: number, place?: ChordPlace) {
    this.#self = self
    this.#successorsMax = successorsMax
    if (place === undefined) return
    this.predecessor = place.predecessor
    this.setSuccessors(place.successors)
    place.fingers.forEach((finger, i) => {
      this.#fingers[i] = finger
    })
  }

  get successors(): readonly ChordPeer[] {
    return this.#successors
  }

  get fingers(): readonly (ChordPeer | undefined)[] {
    return this.#fingers
  }

  /** Takes over a list as another has given it, with that other before it. In a ring that is shorter than the list it ends before this node. */
  setSuccessors(peers: readonly ChordPeer[]): void {
    const kept: ChordPeer[] = []
    for (const peer of peers) {
      const last = kept.at(-1)
      const isInOrder = last === undefined || isBetween(last.id, peer.id, this.#self.id)
      if (peer.id === this.#self.id || !isInOrder || kept.length === this.#successorsMax) break
      kept.push(peer)
    }
    this.#successors = kept
    for (const peer of kept) this.remember(peer)
  }

  /** The peer does not answer. As successor it goes only when it is the first one (Zave, section 4): the rest of the list is the neighbours' to correct. */
  failed(peer: ChordPeer): void {
    if (this.#successors[0]?.id === peer.id) {
      this.#successors = this.#successors.slice(1)
      if (this.#givenUp.size < givenUpMax) this.#givenUp.set(peer.id, peer)
    }
    this.forgetFinger(peer)
  }

  forgetFinger(peer: ChordPeer): void {
    this.#fingers.forEach((finger, i) => {
      if (finger?.id === peer.id) this.#fingers[i] = undefined
    })
  }

  /** So many at most; the one that was named longest ago goes. */
  remember(peer: ChordPeer): void {
    this.#remembered.delete(peer.id)
    this.#remembered.set(peer.id, peer)
    if (this.#remembered.size <= rememberedMax) return
    const [oldest] = this.#remembered.keys()
    if (oldest !== undefined) this.#remembered.delete(oldest)
  }

  /** In turn, those that were neighbours once and are not now. */
  nextRemembered(): ChordPeer | undefined {
    const near = new Set([this.#self.id, this.predecessor?.id, ...this.#successors.map(({ id }) => id)])
    for (const peer of this.#remembered.values()) {
      if (near.has(peer.id)) continue
      this.remember(peer)
      return peer
    }
    return undefined
  }

  /** Whether there were successors, which do not answer any more. */
  get hasLost(): boolean {
    return this.#givenUp.size > 0
  }

  /** The first successor has answered. */
  successorAnswered(): void {
    this.#givenUp.clear()
    this.#recalls = 0
  }

  /**
   * The list is used up. Where that was not by crashes but by a network that lost everything for a while, those who were given up are there again: they are tried anew, so
   * many times. False when it is to be given up for good.
   */
  recall(): boolean {
    this.#recalls += 1
    const known = [...this.#givenUp.values(), ...(this.predecessor === undefined ? [] : [this.predecessor])]
    if (this.#recalls > recallsMax || known.length === 0) return false
    this.setSuccessors(known.sort((a, b) => distance(this.#self.id, a.id) - distance(this.#self.id, b.id)))
    return this.#successors.length > 0
  }

  /** Those responsible for `id` as far as this node's own list reaches (the paper's find_successor, with the list of section IV-E.3); empty beyond. */
  ownersOf(id: ChordId): readonly ChordPeer[] {
    let before = this.#self.id
    for (const [place, successor] of this.#successors.entries()) {
      if (belongsTo(before, id, successor.id)) return this.#successors.slice(place)
      before = successor.id
    }
    return []
  }

  /** Nodes known strictly between this one and `id`, the nearest to `id` first. */
  closerTo(id: ChordId, count: number): ChordPeer[] {
    const known = new Map<ChordId, ChordPeer>()
    for (const peer of [...this.#fingers, ...this.#successors])
      if (peer !== undefined && isBetween(this.#self.id, peer.id, id)) known.set(peer.id, peer)
    return [...known.values()].sort((a, b) => distance(a.id, id) - distance(b.id, id)).slice(0, count)
  }

  /** The next finger to look up, from the farthest on; those that are the successor's are not. */
  nextFingerStart(): { readonly finger: number; readonly start: ChordId } | undefined {
    const [successor] = this.#successors
    if (successor === undefined) return undefined
    this.#nextFinger -= 1
    const start = fingerStart(this.#self.id, Math.max(0, this.#nextFinger))
    if (this.#nextFinger < 0 || belongsTo(this.#self.id, start, successor.id)) {
      for (let finger = 0; finger <= this.#nextFinger; finger++) this.#fingers[finger] = successor
      this.#nextFinger = chordIdBits
      return undefined
    }
    return { finger: this.#nextFinger, start }
  }

  setFinger(finger: number, peer: ChordPeer): void {
    this.#fingers[finger] = peer.id === this.#self.id ? undefined : peer
  }
}
