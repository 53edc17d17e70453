import { chordIdEnd, isBetween } from './identifiers.ts'
import type { ItemKeeper } from './item-keeper.ts'
import type { LookupResult } from './lookup.ts'
import type { Messenger } from './messenger.ts'
import type { RoutingTable } from './routing-table.ts'
import type { Searcher } from './searcher.ts'
import type { ChordId, ChordMessage, ChordOptions, ChordPeer } from './types.ts'

/** Every so many rounds of stabilisation a node that is not among the neighbours is asked whether it sees the same ring. */
const roundsToReunite = 4

/** Keeps the place of one node in the ring (paper, section IV-E; Zave, section 4): join, stabilise, rectify, leave. */
export class RingKeeper {
  readonly #messenger: Messenger
  readonly #table: RoutingTable
  readonly #searcher: Searcher
  readonly #items: ItemKeeper
  readonly #options: ChordOptions
  #phase: 'out' | 'joining' | 'in' | 'leaving' | 'gone' = 'out'
  #stabilisesMs = Number.POSITIVE_INFINITY
  #fixesMs = Number.POSITIVE_INFINITY
  #refreshesMs = Number.POSITIVE_INFINITY
  #isStabilising = false
  #isChecking = false
  #round = 0
  /** The predecessor that has acknowledged its keys, and from where on they were. */
  #handedTo: ChordId | undefined
  #handedFrom: ChordId = 0

  constructor(
    messenger: Messenger,
    table: RoutingTable,
    searcher: Searcher,
    items: ItemKeeper,
    options: ChordOptions,
  ) {
    this.#messenger = messenger
    this.#table = table
    this.#searcher = searcher
    this.#items = items
    this.#options = options
  }

  get isIn(): boolean {
    return this.#phase === 'in' || this.#phase === 'leaving'
  }

  /** It takes copies already while it joins. */
  get isOut(): boolean {
    return this.#phase === 'out'
  }

  get isGone(): boolean {
    return this.#phase === 'gone'
  }

  get nextDeadlineMs(): number {
    return Math.min(this.#stabilisesMs, this.#fixesMs, this.#refreshesMs)
  }

  tick(): void {
    const { nowMs } = this.#messenger
    const { stabiliseMs, fixFingersMs, refreshMs } = this.#options
    if (!this.isIn) return
    if (nowMs >= this.#stabilisesMs) {
      this.#stabilisesMs = nowMs + stabiliseMs
      this.#round += 1
      this.#stabilise()
      this.#checkPredecessor(undefined)
      if (this.#round % roundsToReunite === 0) this.#reunite()
    }
    if (nowMs >= this.#fixesMs) {
      this.#fixesMs = nowMs + fixFingersMs
      this.#fixFinger()
    }
    if (nowMs >= this.#refreshesMs) {
      this.#refreshesMs = nowMs + refreshMs
      this.#items.refresh()
    }
  }

  enter(): void {
    const { nowMs } = this.#messenger
    this.#phase = 'in'
    this.#items.isOpen = true
    this.#stabilisesMs = nowMs + this.#options.stabiliseMs
    this.#fixesMs = nowMs + this.#options.fixFingersMs
    this.#refreshesMs = nowMs + this.#options.refreshMs
  }

  /** Paper figure 6, join; the list is that of the successor, read from it while it lives (Zave). */
  join(contact: ChordPeer): void {
    const { self } = this.#messenger
    if (this.#phase !== 'out' || contact.id === self.id) return
    this.#phase = 'joining'
    const failed = (): void => {
      this.#phase = 'out'
      this.#messenger.emit({ type: 'joinFailed' })
    }
    const found = ({ owners: [successor] }: LookupResult): void => {
      if (successor === undefined || successor.id === self.id) return failed()
      this.#messenger.ask(successor, { type: 'getNeighbours' }, failed, (reply) => {
        if (reply.type !== 'neighbours') return failed()
        this.#table.setSuccessors([successor, ...reply.successors])
        this.enter()
        this.#messenger.emit({ type: 'joined' })
        this.#stabilise()
      })
    }
    this.#table.remember(contact)
    this.#searcher.lookupFrom(contact, self.id, found, failed)
  }

  /** Goes in good order: the keys to the successor; then both neighbours close the gap, as they would after a crash. */
  leave(): void {
    if (this.#phase !== 'in') return
    this.#phase = 'leaving'
    this.#items.isOpen = false
    const { predecessor, successors } = this.#table
    const [successor] = successors
    const gone = (): void => {
      for (const peer of [predecessor, successor])
        if (peer !== undefined) this.#messenger.send(peer, { type: 'leave', predecessor, successors })
      this.#phase = 'gone'
      this.#messenger.emit({ type: 'left' })
    }
    if (successor === undefined) gone()
    else this.#items.handOverAll(successor, gone)
  }

  neighbourLeaves({ from, predecessor }: Extract<ChordMessage, { readonly type: 'leave' }>): void {
    if (!this.isIn) return
    this.#table.failed(from)
    if (this.#table.predecessor?.id === from.id)
      this.#table.predecessor = predecessor?.id === this.#messenger.self.id ? undefined : predecessor
    if (this.#table.successors.length > 0) this.#stabilise()
  }

  /** Paper figure 6, notify; Zave's Rectify: a predecessor that is nearer is taken at once, another only when the present one is silent. */
  rectify(candidate: ChordPeer): void {
    const { self } = this.#messenger
    if (!this.isIn || candidate.id === self.id) return
    const { predecessor } = this.#table
    // A node that is alone follows the first that comes.
    if (this.#table.successors.length === 0) this.#table.setSuccessors([candidate])
    if (predecessor === undefined || isBetween(predecessor.id, candidate.id, self.id))
      return this.#setPredecessor(candidate)
    if (predecessor.id !== candidate.id) this.#checkPredecessor(candidate)
    else if (this.#handedTo !== candidate.id) this.#handOverRange(candidate)
  }

  /** Zave's StabilizeFromSuccessor. A successor that is silent is given up, and the next one asked at once. */
  #stabilise(): void {
    const [successor] = this.#table.successors
    if (this.#isStabilising) return
    // Others than this function find the silent ones too.
    if (successor === undefined) return this.#isolated()
    this.#isStabilising = true
    const failed = (): void => {
      this.#isStabilising = false
      if (this.#table.successors.length > 0) this.#stabilise()
    }
    this.#messenger.ask(successor, { type: 'getNeighbours' }, failed, (reply) => {
      this.#isStabilising = false
      this.#table.successorAnswered()
      if (reply.type !== 'neighbours' || this.#table.successors[0]?.id !== successor.id) return
      this.#table.setSuccessors([successor, ...reply.successors])
      const between = reply.predecessor
      if (between !== undefined && isBetween(this.#messenger.self.id, between.id, successor.id))
        this.#follow(between)
      else this.#notifySuccessor()
    })
  }

  /** Zave's StabilizeFromPredecessor: one that stands between is followed only if it is alive, and then with its own list. */
  #follow(between: ChordPeer): void {
    const successor = this.#table.successors[0]?.id
    const failed = (): void => this.#notifySuccessor()
    this.#messenger.ask(between, { type: 'getNeighbours' }, failed, (reply) => {
      const isStillBetween = this.#table.successors[0]?.id === successor
      if (reply.type === 'neighbours' && isStillBetween)
        this.#table.setSuccessors([between, ...reply.successors])
      this.#notifySuccessor()
    })
  }

  #notifySuccessor(): void {
    const [successor] = this.#table.successors
    if (successor !== undefined) this.#messenger.send(successor, { type: 'notify' })
    this.#items.refreshIfNew()
  }

  /**
   * Loss and partitions can leave two rings, each in order, and stabilisation never joins them. One that was known once is asked who comes after this node: in the same
   * ring that is the successor, in another a node between, which is followed then.
   */
  #reunite(): void {
    const contact = this.#table.nextRemembered()
    if (contact === undefined) return
    const { self } = this.#messenger
    const found = ({ owners }: LookupResult): void => {
      const end = this.#table.successors[0]?.id ?? self.id
      const between = owners.find(({ id }) => isBetween(self.id, id, end))
      if (between !== undefined) this.#follow(between)
    }
    this.#searcher.lookupFrom(contact, (self.id + 1) % chordIdEnd, found, () => {})
  }

  /** Paper figure 6, check_predecessor. */
  #checkPredecessor(candidate: ChordPeer | undefined): void {
    const { predecessor } = this.#table
    if (predecessor === undefined || this.#isChecking) return
    this.#isChecking = true
    const failed = (): void => {
      this.#isChecking = false
      if (this.#table.predecessor?.id !== predecessor.id) return
      if (candidate === undefined) this.#table.predecessor = undefined
      else this.#setPredecessor(candidate)
    }
    this.#messenger.ask(predecessor, { type: 'ping' }, failed, () => {
      this.#isChecking = false
    })
  }

  /** What lies before the new predecessor is its own from now on: it gets it, and this node's stay as copies. */
  #setPredecessor(peer: ChordPeer): void {
    const { self } = this.#messenger
    const former = this.#table.predecessor
    this.#table.predecessor = peer
    this.#table.remember(peer)
    const isWithin = former !== undefined && isBetween(former.id, peer.id, self.id)
    this.#handedTo = undefined
    this.#handedFrom = isWithin ? former.id : self.id
    this.#handOverRange(peer)
    this.#items.refreshIfNew()
  }

  #handOverRange(peer: ChordPeer): void {
    this.#items.handOverRange(peer, this.#handedFrom, (isDone) => {
      if (isDone && this.#table.predecessor?.id === peer.id) this.#handedTo = peer.id
    })
  }

  #fixFinger(): void {
    const next = this.#table.nextFingerStart()
    if (next === undefined) return
    const found = ({ owners: [owner] }: LookupResult): void => {
      if (owner !== undefined) this.#table.setFinger(next.finger, owner)
    }
    this.#searcher.lookup(next.start, found, () => {})
  }

  #isolated(): void {
    if (!this.#table.hasLost || this.#table.recall()) return
    this.#table.predecessor = undefined
    this.#table.successorAnswered()
    // What it holds may be old by the time that it finds others: they tell it what it owns.
    this.#items.hasRange = false
    this.#messenger.emit({ type: 'isolated' })
  }
}
