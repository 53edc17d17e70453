import { unreachable } from '../../base/assert.ts'
import { invalidArgument } from '../../contracts/errors.ts'
import { belongsTo, type ChordHash, chordIdEnd, isBetween } from './identifiers.ts'
import { ItemStore } from './item-store.ts'
import { Lookup, type LookupResult } from './lookup.ts'
import { Requests } from './requests.ts'
import { RoutingTable } from './routing-table.ts'
import {
  type ChordEffect,
  type ChordEvent,
  type ChordId,
  type ChordItem,
  type ChordMessage,
  type ChordOptions,
  type ChordPeer,
  type ChordPlace,
  chordDefaults,
} from './types.ts'

type Body<T> = T extends unknown ? Omit<T, 'from' | 'to' | 'request'> : never
type MessageBody = Body<ChordMessage>

const candidatesSent = 4
const putTriesMax = 3
const handOverItemsMax = 1_000
const missedRefreshesMax = 3
/** Copies given back to their owners in one refresh. */
const returnedMax = 1_000

/**
 * One node of a Chord ring, as a pure machine (paper, sections IV and V, with the corrections of Zave): finds the node responsible for an identifier in O(log n) messages,
 * keeps its place while others come, go and crash, and holds items with copies on the nodes after it.
 *
 *     event ──> step ──┬─ stabilise, rectify, check     RoutingTable (predecessor, successor list, fingers)
 *                      ├─ lookups                       Lookup
 *                      ├─ put, get, hand over, refresh  ItemStore
 *                      └─ answers and silence           Requests ──> effects
 *
 * What Zave changes: a node's whole successor list comes from the node that it follows, checked to be alive at that moment; a node takes another for its predecessor
 * only after the present one does not answer; and the ring stays one ring only while it has r + 1 nodes at least and no node loses its whole list at once.
 */
export class ChordNode {
  readonly #options: ChordOptions
  readonly #self: ChordPeer
  readonly #hash: ChordHash
  readonly #table: RoutingTable
  readonly #items: ItemStore
  readonly #requests: Requests
  #effects: ChordEffect[] = []
  #phase: 'out' | 'joining' | 'in' | 'leaving' | 'gone' = 'out'
  #stabilisesMs = Number.POSITIVE_INFINITY
  #fixesMs = Number.POSITIVE_INFINITY
  #refreshesMs = Number.POSITIVE_INFINITY
  #isStabilising = false
  #isChecking = false
  /** The predecessor that has acknowledged its keys, and from where on they were. */
  #handedTo: ChordId | undefined
  #handedFrom: ChordId = 0
  /** Whether this node has been told what it owns. */
  #hasRange = false
  /** Those that hold copies of what this node owns, as of the last refresh. */
  #copyHolders = ''
  #nowMs: number

  /** `place`: as it is in a ring already: `{ predecessor: undefined, successors: [], fingers: [] }` begins one. Without it the node joins by an event. Throws `invalid-argument`. */
  constructor(
    options: Pick<ChordOptions, 'self'> & Partial<ChordOptions>,
    hash: ChordHash,
    nowMs: number,
    place?: ChordPlace,
  ) {
    this.#options = { ...chordDefaults, ...options }
    checkOptions(this.#options)
    const { self, successorsMax, itemsMax, timeoutMs } = this.#options
    this.#self = self
    this.#hash = hash
    this.#nowMs = nowMs
    this.#table = new RoutingTable(self, successorsMax, place)
    this.#items = new ItemStore(itemsMax)
    this.#requests = new Requests(timeoutMs, nowMs)
    if (place === undefined) return
    this.#hasRange = true
    this.#enter()
  }

  get place(): ChordPlace {
    const { predecessor, successors, fingers } = this.#table
    return { predecessor, successors, fingers }
  }

  get isIn(): boolean {
    return this.#phase === 'in' || this.#phase === 'leaving'
  }

  /** Items held, copies included. */
  get itemCount(): number {
    return this.#items.size
  }

  /** Keys that this node takes itself to be responsible for. */
  ownKeys(): string[] {
    return this.#ownItems().map(({ key }) => key)
  }

  get nextDeadlineMs(): number {
    const ownMs = Math.min(this.#stabilisesMs, this.#fixesMs, this.#refreshesMs)
    return Math.min(ownMs, this.#requests.nextDeadlineMs)
  }

  /** `nowMs` never goes back. */
  step(event: ChordEvent, nowMs: number): ChordEffect[] {
    this.#nowMs = nowMs
    if (this.#phase !== 'gone') this.#handle(event)
    const effects = this.#effects
    this.#effects = []
    return effects
  }

  #handle(event: ChordEvent): void {
    switch (event.type) {
      case 'tick':
        return this.#tick()
      case 'receive':
        return this.#receive(event.message)
      case 'join':
        return this.#join(event.contact)
      case 'leave':
        return this.#leave()
      case 'lookup': {
        const { request, id } = event
        return this.#lookup(
          id,
          (result) => this.#effects.push({ type: 'lookedUp', request, ...result }),
          () => this.#effects.push({ type: 'lookupFailed', request }),
        )
      }
      case 'put':
        return this.#put(event.request, event.key, event.value, putTriesMax)
      case 'get':
        return this.#get(event.request, event.key)
      default:
        return unreachable(event)
    }
  }

  #tick(): void {
    const { fixFingersMs, refreshMs } = this.#options
    this.#requests.tick(this.#nowMs)
    if (!this.isIn) return
    if (this.#nowMs >= this.#stabilisesMs) {
      this.#stabilisesMs = this.#nowMs + this.#options.stabiliseMs
      this.#stabilise()
      this.#checkPredecessor(undefined)
    }
    if (this.#nowMs >= this.#fixesMs) {
      this.#fixesMs = this.#nowMs + fixFingersMs
      this.#fixFinger()
    }
    if (this.#nowMs >= this.#refreshesMs) {
      this.#refreshesMs = this.#nowMs + refreshMs
      this.#refresh()
    }
  }

  #receive(message: ChordMessage): void {
    switch (message.type) {
      case 'findSuccessor':
        if (!this.isIn) return
        return this.#reply(message, this.#findSuccessor(message.id))
      case 'getNeighbours': {
        if (!this.isIn) return
        const { predecessor, successors } = this.#table
        return this.#reply(message, { type: 'neighbours', predecessor, successors })
      }
      case 'notify':
        return this.#rectify(message.from)
      case 'ping':
        if (this.isIn) this.#reply(message, { type: 'pong' })
        return
      case 'put':
        if (this.isIn)
          this.#putHere(message, (isOwner) => this.#reply(message, { type: 'putReply', isOwner }))
        return
      case 'get':
        if (this.isIn) this.#reply(message, { type: 'getReply', value: this.#items.get(message.key)?.value })
        return
      case 'handOver': {
        if (this.#phase === 'out') return
        const { items, isRange } = message
        const isTaken = items.every((item) => this.#items.take(item, this.#nowMs))
        if (isTaken && isRange && message.from.id === this.#table.successors[0]?.id) this.#hasRange = true
        if (isTaken) this.#reply(message, { type: 'handedOver' })
        return
      }
      case 'leave':
        return this.#neighbourLeaves(message.from, message.predecessor)
      case 'successorFound':
      case 'neighbours':
      case 'pong':
      case 'putReply':
      case 'getReply':
      case 'handedOver':
        this.#requests.answered(message)
        return
      default:
        unreachable(message)
    }
  }

  // ---- Place in the ring ----

  /** Paper figure 6, join; the list is that of the successor, read from it while it lives (Zave). */
  #join(contact: ChordPeer): void {
    if (this.#phase !== 'out' || contact.id === this.#self.id) return
    this.#phase = 'joining'
    const failed = (): void => {
      this.#phase = 'out'
      this.#effects.push({ type: 'joinFailed' })
    }
    const search = new Lookup(this.#self.id, [contact])
    const found = ({ owners: [successor] }: LookupResult): void => {
      if (successor === undefined || successor.id === this.#self.id) return failed()
      this.#ask(successor, { type: 'getNeighbours' }, failed, (reply) => {
        if (reply.type !== 'neighbours') return failed()
        this.#table.setSuccessors([successor, ...reply.successors])
        this.#enter()
        this.#effects.push({ type: 'joined' })
        this.#stabilise()
      })
    }
    this.#continue(search, found, failed)
  }

  #enter(): void {
    this.#phase = 'in'
    this.#stabilisesMs = this.#nowMs + this.#options.stabiliseMs
    this.#fixesMs = this.#nowMs + this.#options.fixFingersMs
    this.#refreshesMs = this.#nowMs + this.#options.refreshMs
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
    this.#ask(successor, { type: 'getNeighbours' }, failed, (reply) => {
      this.#isStabilising = false
      this.#table.successorAnswered()
      if (reply.type !== 'neighbours' || this.#table.successors[0]?.id !== successor.id) return
      this.#table.setSuccessors([successor, ...reply.successors])
      const between = reply.predecessor
      if (between !== undefined && isBetween(this.#self.id, between.id, successor.id))
        this.#stabiliseFromPredecessor(between, successor)
      else this.#notifySuccessor()
    })
  }

  /** Zave's StabilizeFromPredecessor: one that stands between is followed only if it is alive, and then with its own list. */
  #stabiliseFromPredecessor(between: ChordPeer, successor: ChordPeer): void {
    const failed = (): void => this.#notifySuccessor()
    this.#ask(between, { type: 'getNeighbours' }, failed, (reply) => {
      const [first] = this.#table.successors
      const isStillBetween = first?.id === successor.id
      if (reply.type === 'neighbours' && isStillBetween)
        this.#table.setSuccessors([between, ...reply.successors])
      this.#notifySuccessor()
    })
  }

  #notifySuccessor(): void {
    const [successor] = this.#table.successors
    if (successor !== undefined) this.#send(successor, { type: 'notify' })
    this.#refreshIfNew()
  }

  /** Paper figure 6, notify; Zave's Rectify: a predecessor that is nearer is taken at once, another only when the present one is silent. */
  #rectify(candidate: ChordPeer): void {
    if (!this.isIn || candidate.id === this.#self.id) return
    const { predecessor } = this.#table
    // A node that is alone follows the first that comes.
    if (this.#table.successors.length === 0) this.#table.setSuccessors([candidate])
    if (predecessor === undefined || isBetween(predecessor.id, candidate.id, this.#self.id))
      return this.#setPredecessor(candidate)
    if (predecessor.id !== candidate.id) this.#checkPredecessor(candidate)
    else if (this.#handedTo !== candidate.id) this.#handOverRange(candidate, this.#handedFrom)
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
    this.#ask(predecessor, { type: 'ping' }, failed, () => {
      this.#isChecking = false
    })
  }

  /** What lies before the new predecessor is its own from now on: it gets it, and this node's stay as copies. */
  #setPredecessor(peer: ChordPeer): void {
    const former = this.#table.predecessor
    this.#table.predecessor = peer
    const from =
      former === undefined || !isBetween(former.id, peer.id, this.#self.id) ? this.#self.id : former.id
    this.#handedTo = undefined
    this.#handOverRange(peer, from)
    this.#refreshIfNew()
  }

  /** Said even when there is nothing: until then the other does not know what it owns, and takes no puts. */
  #handOverRange(peer: ChordPeer, from: ChordId): void {
    this.#handedFrom = from
    const items = this.#items.within(from, peer.id)
    const done = (isDone: boolean): void => {
      if (isDone && this.#table.predecessor?.id === peer.id) this.#handedTo = peer.id
    }
    this.#handOver(peer, items, done, true)
  }

  #fixFinger(): void {
    const next = this.#table.nextFingerStart()
    if (next === undefined) return
    const found = ({ owners: [owner] }: LookupResult): void => {
      if (owner !== undefined) this.#table.setFinger(next.finger, owner)
    }
    this.#lookup(next.start, found, () => {})
  }

  /** Goes in good order: the keys to the successor; then both neighbours close the gap, as they would after a crash. */
  #leave(): void {
    if (this.#phase !== 'in') return
    this.#phase = 'leaving'
    const { predecessor, successors } = this.#table
    const [successor] = successors
    const gone = (): void => {
      for (const peer of [predecessor, successor])
        if (peer !== undefined) this.#send(peer, { type: 'leave', predecessor, successors })
      this.#phase = 'gone'
      this.#effects.push({ type: 'left' })
    }
    if (successor === undefined) gone()
    else this.#handOver(successor, this.#ownItems(), gone)
  }

  #neighbourLeaves(peer: ChordPeer, before: ChordPeer | undefined): void {
    if (!this.isIn) return
    this.#table.failed(peer)
    if (this.#table.predecessor?.id === peer.id)
      this.#table.predecessor = before?.id === this.#self.id ? undefined : before
    if (this.#table.successors.length > 0) this.#stabilise()
  }

  #isolated(): void {
    if (!this.#table.hasLost || this.#table.recall()) return
    this.#table.predecessor = undefined
    this.#table.successorAnswered()
    this.#effects.push({ type: 'isolated' })
  }

  // ---- Lookups ----

  #findSuccessor(id: ChordId): MessageBody {
    const owners = this.#ownersHere(id)
    const closer = this.#table.closerTo(id, candidatesSent)
    return { type: 'successorFound', owners, closer }
  }

  #ownersHere(id: ChordId): readonly ChordPeer[] {
    const { predecessor, successors } = this.#table
    if (successors.length === 0) return [this.#self]
    const isOwn = predecessor !== undefined && belongsTo(predecessor.id, id, this.#self.id)
    return isOwn ? [this.#self, ...successors] : this.#table.ownersOf(id)
  }

  #lookup(id: ChordId, found: (result: LookupResult) => void, failed: () => void): void {
    if (!this.isIn) return failed()
    const search = new Lookup(id, this.#table.closerTo(id, candidatesSent * 4))
    const owners = this.#ownersHere(id)
    if (owners[0]?.id === this.#self.id) return found(search.result(owners))
    search.owners = owners
    this.#continue(search, found, failed)
  }

  #continue(search: Lookup, found: (result: LookupResult) => void, failed: () => void): void {
    const isShort = search.owners.length * 2 < this.#options.successorsMax
    const peer = isShort ? search.next() : undefined
    // What is left of a list's end may all have crashed; it is taken only where nobody nearer knows more.
    const { owners } = search
    if (owners.length > 0 && peer === undefined) return found(search.result(owners))
    if (peer === undefined) return failed()
    const passOver = (): void => {
      search.failed()
      this.#continue(search, found, failed)
    }
    this.#ask(peer, { type: 'findSuccessor', id: search.id }, passOver, (reply) => {
      if (reply.type !== 'successorFound') return passOver()
      search.answered(reply.closer, reply.owners)
      this.#continue(search, found, failed)
    })
  }

  // ---- Items ----

  #put(request: number, key: string, value: Uint8Array, tries: number): void {
    const id = this.#hash(key)
    const done = (isDone: boolean): void => void this.#effects.push({ type: 'putDone', request, isDone })
    const again = (): void => (tries > 1 ? this.#put(request, key, value, tries - 1) : done(false))
    const found = ({ owners: [owner] }: LookupResult): void => {
      if (owner === undefined) return again()
      if (owner.id === this.#self.id) return this.#putHere({ key, id, value }, done)
      this.#ask(owner, { type: 'put', key, id, value }, again, (reply) =>
        reply.type === 'putReply' && reply.isOwner ? done(true) : again(),
      )
    }
    this.#lookup(id, found, again)
  }

  /** As the owner. Acknowledged when those who hold the copies have them, or have been given up. */
  #putHere(
    { key, id, value }: { readonly key: string; readonly id: ChordId; readonly value: Uint8Array },
    done: (isDone: boolean) => void,
  ): void {
    const { predecessor } = this.#table
    const isOwn = predecessor === undefined || belongsTo(predecessor.id, id, this.#self.id)
    const isReady = isOwn && this.#hasRange && this.#phase === 'in'
    if (!isReady || !this.#items.put(key, id, value, this.#nowMs)) return done(false)
    const item = this.#items.get(key)
    const holders = item === undefined ? [] : this.#holders()
    let left = holders.length
    if (left === 0) done(true)
    const settled = (): void => {
      left -= 1
      if (left === 0) done(true)
    }
    for (const holder of holders) this.#handOver(holder, [item as ChordItem], settled)
  }

  /** From the owner, or else from those after it, who have copies. */
  #get(request: number, key: string): void {
    const done = (value: Uint8Array | undefined, isDone: boolean): void =>
      void this.#effects.push({ type: 'getDone', request, value, isDone })
    const ask = (left: readonly ChordPeer[], hasAnswer: boolean): void => {
      const [peer, ...others] = left
      if (peer === undefined) return done(undefined, hasAnswer)
      const own = peer.id === this.#self.id ? this.#items.get(key)?.value : undefined
      if (own !== undefined) return done(own, true)
      if (peer.id === this.#self.id) return ask(others, true)
      this.#ask(
        peer,
        { type: 'get', key },
        () => ask(others, hasAnswer),
        (reply) => {
          const value = reply.type === 'getReply' ? reply.value : undefined
          if (value === undefined) ask(others, true)
          else done(value, true)
        },
      )
    }
    this.#lookup(
      this.#hash(key),
      ({ owners }) => ask(owners.slice(0, this.#options.copies + 1), false),
      () => done(undefined, false),
    )
  }

  #ownItems(): ChordItem[] {
    return this.#items.within(this.#table.predecessor?.id, this.#self.id)
  }

  #holders(): readonly ChordPeer[] {
    return this.#table.successors.slice(0, this.#options.copies - 1)
  }

  /** When others are to hold the copies, or there is more to own, they are sent at once. */
  #refreshIfNew(): void {
    const holders = [this.#table.predecessor, ...this.#holders()].map((peer) => peer?.id ?? 'nobody').join()
    if (holders === this.#copyHolders) return
    this.#copyHolders = holders
    const items = this.#ownItems()
    for (const holder of this.#holders()) this.#handOver(holder, items)
  }

  #refresh(): void {
    const items = this.#ownItems()
    for (const holder of this.#holders()) this.#handOver(holder, items)
    const { predecessor } = this.#table
    const sinceMs = this.#nowMs - missedRefreshesMax * this.#options.refreshMs
    if (predecessor === undefined) return
    const stale = this.#items.untouched(predecessor.id, this.#self.id, sinceMs, returnedMax)
    for (const item of stale) this.#giveBack(item)
  }

  /** The owner may have come to its range by a crash, and know nothing of an item: no copy goes before the owner has it. */
  #giveBack(item: ChordItem): void {
    const found = ({ owners: [owner] }: LookupResult): void => {
      if (owner === undefined || owner.id === this.#self.id) return
      this.#handOver(owner, [item], (isDone) => {
        if (isDone) this.#items.drop(item)
      })
    }
    this.#lookup(item.id, found, () => {})
  }

  /** In messages of bounded size; `done` once all are answered or given up. `isRange`: also when there is nothing. */
  #handOver(
    to: ChordPeer,
    items: readonly ChordItem[],
    done: (isDone: boolean) => void = () => {},
    isRange = false,
  ): void {
    let left = Math.max(isRange ? 1 : 0, Math.ceil(items.length / handOverItemsMax))
    if (left === 0) return done(true)
    let isDone = true
    const settle = (isTaken: boolean): void => {
      isDone &&= isTaken
      left -= 1
      if (left === 0) done(isDone)
    }
    const count = left
    for (let part = 0; part < count; part++) {
      const some = items.slice(part * handOverItemsMax, (part + 1) * handOverItemsMax)
      this.#ask(
        to,
        { type: 'handOver', items: some, isRange },
        () => settle(false),
        () => settle(true),
      )
    }
  }

  // ---- Messages ----

  #ask(to: ChordPeer, body: MessageBody, failed: () => void, answered: (reply: ChordMessage) => void): void {
    const request = this.#requests.nextNumber()
    const gone = (): void => {
      this.#table.failed(to)
      failed()
    }
    this.#requests.begin(request, to, this.#nowMs, answered, gone)
    this.#effects.push({ type: 'send', message: { ...body, from: this.#self, to, request } })
  }

  #reply({ from, request }: ChordMessage, body: MessageBody): void {
    this.#effects.push({ type: 'send', message: { ...body, from: this.#self, to: from, request } })
  }

  #send(to: ChordPeer, body: MessageBody): void {
    this.#effects.push({ type: 'send', message: { ...body, from: this.#self, to, request: 0 } })
  }
}

function checkOptions(options: ChordOptions): void {
  const { self, successorsMax, copies } = options
  const isId = Number.isSafeInteger(self.id) && self.id >= 0 && self.id < chordIdEnd
  if (!isId) throw invalidArgument('self.id', self.id, 'a whole number from 0 to 2^52 - 1')
  const isWhole = (value: number, max: number): boolean =>
    Number.isInteger(value) && value >= 1 && value <= max
  if (!isWhole(successorsMax, 256))
    throw invalidArgument('successorsMax', successorsMax, 'a whole number from 1 to 256')
  if (!isWhole(copies, successorsMax + 1))
    throw invalidArgument('copies', copies, 'a whole number from 1 to successorsMax + 1')
  for (const name of ['stabiliseMs', 'fixFingersMs', 'timeoutMs', 'refreshMs', 'itemsMax'] as const)
    if (!(options[name] > 0)) throw invalidArgument(name, options[name], 'a number > 0')
}
