import { belongsTo, type ChordHash } from './identifiers.ts'
import { ItemStore, isLater } from './item-store.ts'
import type { LookupResult } from './lookup.ts'
import type { Messenger } from './messenger.ts'
import type { RoutingTable } from './routing-table.ts'
import type { Searcher } from './searcher.ts'
import type { ChordEffect, ChordId, ChordItem, ChordMessage, ChordOptions, ChordPeer } from './types.ts'

type PutMessage = Extract<ChordMessage, { readonly type: 'put' }>
type HandOverMessage = Extract<ChordMessage, { readonly type: 'handOver' }>
type Settled = (isDone: boolean) => void

const putTriesMax = 4
/** Rounds in which a put reaches the holders of its copies, while they change. */
const copyRoundsMax = 4
const handOverItemsMax = 1_000
const missedRefreshesMax = 3
/** Copies given back to their owners in one refresh. */
const returnedMax = 1_000

/**
 * The items of one node and what is asked of it about items: puts and gets for its user, the part of the owner, copies on the nodes after the owner, and what moves when
 * ranges do.
 *
 * Versions are ballots, (counter, writer). Whoever puts reads the counters of the owner and of those after it first, and takes one above them all: the node that comes into
 * a range by a crash may know nothing of an item, but the copies do. A put is acknowledged when all that are to hold a copy at that moment have it.
 */
export class ItemKeeper {
  readonly #messenger: Messenger
  readonly #table: RoutingTable
  readonly #searcher: Searcher
  readonly #hash: ChordHash
  readonly #options: ChordOptions
  readonly #items: ItemStore
  readonly #putsUnderWay = new Set<string>()
  /** The greatest counter used or seen by this node. */
  #counter = 0
  /** Those that hold copies of what this node owns, as of the last refresh. */
  #copyHolders = ''
  /** Whether this node has been told what it owns. */
  hasRange = false
  /** Whether it takes part: it is in the ring and not about to go. */
  isOpen = false

  constructor(
    messenger: Messenger,
    table: RoutingTable,
    searcher: Searcher,
    hash: ChordHash,
    options: ChordOptions,
  ) {
    this.#messenger = messenger
    this.#table = table
    this.#searcher = searcher
    this.#hash = hash
    this.#options = options
    this.#items = new ItemStore(options.itemsMax)
  }

  get size(): number {
    return this.#items.size
  }

  ownItems(): ChordItem[] {
    return this.#items.within(this.#table.predecessor?.id, this.#messenger.self.id)
  }

  // ---- For the user of this node ----

  put(request: number, key: string, value: Uint8Array, tries = putTriesMax): void {
    const id = this.#hash(key)
    const done: Settled = (isDone) => this.#messenger.emit({ type: 'putDone', request, isDone })
    const again = (): void => (tries > 1 ? this.put(request, key, value, tries - 1) : done(false))
    const replied = (isStored: boolean, counter: number): void => {
      this.#counter = Math.max(this.#counter, counter)
      if (isStored) done(true)
      else again()
    }
    const found = ({ owners }: LookupResult): void => {
      const [owner] = owners
      if (owner === undefined) return again()
      this.#readCounters(key, owners.slice(0, this.#options.copies + 1), () => {
        this.#counter += 1
        const version = { counter: this.#counter, writer: this.#messenger.self.id }
        this.#putAt(owner, { key, id, value, version }, replied)
      })
    }
    this.#searcher.lookup(id, found, again)
  }

  /** From the owner, or else from those after it, who have copies. */
  get(request: number, key: string): void {
    const done = (value: Uint8Array | undefined, isDone: boolean): void => {
      const effect: ChordEffect = { type: 'getDone', request, value, isDone }
      this.#messenger.emit(effect)
    }
    const ask = (left: readonly ChordPeer[], hasAnswer: boolean): void => {
      const [peer, ...others] = left
      if (peer === undefined) return done(undefined, hasAnswer)
      const own = peer.id === this.#messenger.self.id ? this.#items.get(key)?.value : undefined
      if (own !== undefined) return done(own, true)
      if (peer.id === this.#messenger.self.id) return ask(others, true)
      const answered = (reply: ChordMessage): void => {
        const value = reply.type === 'getReply' ? reply.value : undefined
        if (value === undefined) ask(others, true)
        else done(value, true)
      }
      this.#messenger.ask(peer, { type: 'get', key }, () => ask(others, hasAnswer), answered)
    }
    const found = ({ owners }: LookupResult): void => ask(owners.slice(0, this.#options.copies + 1), false)
    this.#searcher.lookup(this.#hash(key), found, () => done(undefined, false))
  }

  // ---- What others ask ----

  takePut(message: PutMessage): void {
    // Sent again while the first waits for the copies: that one will answer.
    const name = `${message.from.id}/${message.request}`
    if (this.#putsUnderWay.has(name)) return
    this.#putsUnderWay.add(name)
    this.#putHere(message.item, (isStored, counter) => {
      this.#putsUnderWay.delete(name)
      this.#messenger.reply(message, { type: 'putReply', isStored, counter })
    })
  }

  takeGet(message: Extract<ChordMessage, { readonly type: 'get' }>): void {
    this.#messenger.reply(message, { type: 'getReply', value: this.#items.get(message.key)?.value })
  }

  takeGetCounter(message: Extract<ChordMessage, { readonly type: 'getCounter' }>): void {
    const counter = this.#items.get(message.key)?.version.counter ?? 0
    this.#messenger.reply(message, { type: 'counter', counter })
  }

  takeHandOver(message: HandOverMessage): void {
    const { items, isRange } = message
    const isTaken = items.every((item) => this.#items.take(item, this.#messenger.nowMs))
    if (isTaken && isRange && message.from.id === this.#table.successors[0]?.id) this.hasRange = true
    if (isTaken) this.#messenger.reply(message, { type: 'handedOver' })
  }

  // ---- When places change ----

  /** Said even when there is nothing: until then the other does not know what it owns, and takes no puts. */
  handOverRange(to: ChordPeer, from: ChordId, done: Settled): void {
    this.#handOver(to, this.#items.within(from, to.id), done, true)
  }

  handOverAll(to: ChordPeer, done: Settled): void {
    this.#handOver(to, this.ownItems(), done)
  }

  /** When others are to hold the copies, or there is more to own, they are sent at once. */
  refreshIfNew(): void {
    const holders = [this.#table.predecessor, ...this.#holders()].map((peer) => peer?.id ?? 'nobody').join()
    if (holders === this.#copyHolders) return
    this.#copyHolders = holders
    const items = this.ownItems()
    for (const holder of this.#holders()) this.#handOver(holder, items)
  }

  refresh(): void {
    const items = this.ownItems()
    for (const holder of this.#holders()) this.#handOver(holder, items)
    const { predecessor } = this.#table
    const sinceMs = this.#messenger.nowMs - missedRefreshesMax * this.#options.refreshMs
    if (predecessor === undefined) return
    const stale = this.#items.untouched(predecessor.id, this.#messenger.self.id, sinceMs, returnedMax)
    for (const item of stale) this.#giveBack(item)
  }

  // ---- Puts ----

  /** Those that do not answer are passed over: the owner refuses a put whose counter turns out too low. */
  #readCounters(key: string, peers: readonly ChordPeer[], done: () => void): void {
    const own = this.#items.get(key)?.version.counter ?? 0
    this.#counter = Math.max(this.#counter, own)
    const others = peers.filter(({ id }) => id !== this.#messenger.self.id)
    let left = others.length
    if (left === 0) return done()
    const settled = (): void => {
      left -= 1
      if (left === 0) done()
    }
    const answered = (reply: ChordMessage): void => {
      if (reply.type === 'counter') this.#counter = Math.max(this.#counter, reply.counter)
      settled()
    }
    for (const peer of others) this.#messenger.ask(peer, { type: 'getCounter', key }, settled, answered)
  }

  #putAt(owner: ChordPeer, item: ChordItem, replied: (isStored: boolean, counter: number) => void): void {
    if (owner.id === this.#messenger.self.id) return this.#putHere(item, replied)
    const answered = (reply: ChordMessage): void =>
      reply.type === 'putReply' ? replied(reply.isStored, reply.counter) : replied(false, 0)
    this.#messenger.ask(owner, { type: 'put', item }, () => replied(false, 0), answered, 'nothing')
  }

  /** As the owner. Without a predecessor it cannot know what it owns, unless it is alone. */
  #putHere(item: ChordItem, done: (isStored: boolean, counter: number) => void): void {
    const { predecessor, successors, hasLost } = this.#table
    const isAlone = successors.length === 0 && !hasLost
    const isOwn =
      predecessor === undefined ? isAlone : belongsTo(predecessor.id, item.id, this.#messenger.self.id)
    if (!isOwn || !this.hasRange || !this.isOpen) return done(false, 0)
    const held = this.#items.get(item.key)?.version
    if (held !== undefined && isLater(held, item.version)) return done(false, held.counter)
    if (!this.#items.take(item, this.#messenger.nowMs)) return done(false, 0)
    this.#copy(item, new Set(), copyRoundsMax, (isDone) => done(isDone, item.version.counter))
  }

  /** Those that are to hold it may change meanwhile; done when all that are at the end do. */
  #copy(item: ChordItem, having: Set<ChordId>, rounds: number, done: Settled): void {
    const missing = this.#holders().filter(({ id }) => !having.has(id))
    if (missing.length === 0) return done(this.#table.successors.length > 0 || !this.#table.hasLost)
    if (rounds === 0) return done(false)
    let left = missing.length
    for (const holder of missing)
      this.#handOver(holder, [item], (isDone) => {
        if (isDone) having.add(holder.id)
        left -= 1
        if (left === 0) this.#copy(item, having, rounds - 1, done)
      })
  }

  // ---- Copies ----

  #holders(): readonly ChordPeer[] {
    return this.#table.successors.slice(0, this.#options.copies - 1)
  }

  /** The owner may have come to its range by a crash, and know nothing of an item: no copy goes before the owner has it. */
  #giveBack(item: ChordItem): void {
    const found = ({ owners: [owner] }: LookupResult): void => {
      if (owner === undefined || owner.id === this.#messenger.self.id) return
      this.#handOver(owner, [item], (isDone) => {
        if (isDone) this.#items.drop(item)
      })
    }
    this.#searcher.lookup(item.id, found, () => {})
  }

  /** In messages of bounded size; `done` once all are answered or given up. `isRange`: also when there is nothing. */
  #handOver(to: ChordPeer, items: readonly ChordItem[], done: Settled = () => {}, isRange = false): void {
    const count = Math.max(isRange ? 1 : 0, Math.ceil(items.length / handOverItemsMax))
    let left = count
    if (left === 0) return done(true)
    let isDone = true
    const settle = (isTaken: boolean): void => {
      isDone &&= isTaken
      left -= 1
      if (left === 0) done(isDone)
    }
    for (let part = 0; part < count; part++) {
      const some = items.slice(part * handOverItemsMax, (part + 1) * handOverItemsMax)
      const body = { type: 'handOver', items: some, isRange } as const
      this.#messenger.ask(
        to,
        body,
        () => settle(false),
        () => settle(true),
      )
    }
  }
}
