import { unreachable } from '../../base/assert.ts'
import { invalidArgument } from '../../contracts/errors.ts'
import { type ChordHash, chordIdEnd } from './identifiers.ts'
import { ItemKeeper } from './item-keeper.ts'
import { Messenger } from './messenger.ts'
import { RingKeeper } from './ring-keeper.ts'
import { RoutingTable } from './routing-table.ts'
import { Searcher } from './searcher.ts'
import {
  type ChordEffect,
  type ChordEvent,
  type ChordId,
  type ChordMessage,
  type ChordOptions,
  type ChordPlace,
  chordDefaults,
} from './types.ts'

/**
 * One node of a Chord ring, as a pure machine (paper, sections IV and V, with the corrections of Zave): finds the node responsible for an identifier in O(log n) messages,
 * keeps its place while others come, go and crash, and holds items with copies on the nodes after it.
 *
 *     event ──> step ──┬─ stabilise, rectify, check     RingKeeper ─┐
 *                      ├─ lookups                       Searcher ───┼─ RoutingTable (predecessor, successor list, fingers)
 *                      ├─ put, get, hand over, refresh  ItemKeeper ─┘
 *                      └─ answers and silence           Messenger ──> effects
 *
 * What Zave changes: a node's whole successor list comes from the node that it follows, checked to be alive at that moment; a node takes another for its predecessor
 * only after the present one does not answer; and the ring stays one ring only while it has r + 1 nodes at least and no node loses its whole list at once.
 */
export class ChordNode {
  readonly #table: RoutingTable
  readonly #messenger: Messenger
  readonly #searcher: Searcher
  readonly #items: ItemKeeper
  readonly #ring: RingKeeper

  /** `place`: as it is in a ring already: `{ predecessor: undefined, successors: [], fingers: [] }` begins one. Without it the node joins by an event. Throws `invalid-argument`. */
  constructor(
    given: Pick<ChordOptions, 'self'> & Partial<ChordOptions>,
    hash: ChordHash,
    nowMs: number,
    place?: ChordPlace,
  ) {
    const options = { ...chordDefaults, ...given }
    checkOptions(options)
    const { self, successorsMax } = options
    const table = new RoutingTable(self, successorsMax, place)
    this.#table = table
    this.#messenger = new Messenger(options, nowMs, (peer, silence) => {
      if (silence === 'dead') table.failed(peer)
      else if (silence === 'slow') table.forgetFinger(peer)
    })
    this.#searcher = new Searcher(this.#messenger, table, successorsMax)
    this.#items = new ItemKeeper(this.#messenger, table, this.#searcher, hash, options)
    this.#ring = new RingKeeper(this.#messenger, table, this.#searcher, this.#items, options)
    if (place === undefined) return
    this.#items.hasRange = true
    this.#ring.enter()
  }

  get place(): ChordPlace {
    const { predecessor, successors, fingers } = this.#table
    return { predecessor, successors, fingers }
  }

  get isIn(): boolean {
    return this.#ring.isIn
  }

  /** Items held, copies included. */
  get itemCount(): number {
    return this.#items.size
  }

  /** Keys that this node takes itself to be responsible for. */
  ownKeys(): string[] {
    return this.#items.ownItems().map(({ key }) => key)
  }

  get nextDeadlineMs(): number {
    return Math.min(this.#ring.nextDeadlineMs, this.#messenger.nextDeadlineMs)
  }

  /** `nowMs` never goes back. */
  step(event: ChordEvent, nowMs: number): ChordEffect[] {
    this.#messenger.nowMs = nowMs
    if (!this.#ring.isGone) this.#handle(event)
    return this.#messenger.takeEffects()
  }

  #handle(event: ChordEvent): void {
    switch (event.type) {
      case 'tick':
        this.#messenger.tick()
        return this.#ring.tick()
      case 'receive':
        return this.#receive(event.message)
      case 'join':
        return this.#ring.join(event.contact)
      case 'leave':
        return this.#ring.leave()
      case 'lookup':
        return this.#lookup(event.request, event.id)
      case 'put':
        if (this.isIn) return this.#items.put(event.request, event.key, event.value)
        return this.#messenger.emit({ type: 'putDone', request: event.request, isDone: false })
      case 'get':
        if (this.isIn) return this.#items.get(event.request, event.key)
        return this.#messenger.emit({
          type: 'getDone',
          request: event.request,
          value: undefined,
          isDone: false,
        })
      default:
        return unreachable(event)
    }
  }

  #lookup(request: number, id: ChordId): void {
    const failed = (): void => this.#messenger.emit({ type: 'lookupFailed', request })
    if (!this.isIn) return failed()
    this.#searcher.lookup(
      id,
      (result) => this.#messenger.emit({ type: 'lookedUp', request, ...result }),
      failed,
    )
  }

  #receive(message: ChordMessage): void {
    switch (message.type) {
      case 'successorFound':
      case 'neighbours':
      case 'pong':
      case 'putReply':
      case 'getReply':
      case 'counter':
      case 'handedOver':
        return this.#messenger.answered(message)
      case 'handOver':
        if (!this.#ring.isOut) this.#items.takeHandOver(message)
        return
      default:
        if (this.isIn) this.#answer(message)
    }
  }

  #answer(message: ChordMessage): void {
    switch (message.type) {
      case 'findSuccessor':
        return this.#messenger.reply(message, this.#searcher.here(message.id))
      case 'getNeighbours': {
        const { predecessor, successors } = this.#table
        return this.#messenger.reply(message, { type: 'neighbours', predecessor, successors })
      }
      case 'notify':
        return this.#ring.rectify(message.from)
      case 'ping':
        return this.#messenger.reply(message, { type: 'pong' })
      case 'leave':
        return this.#ring.neighbourLeaves(message)
      case 'put':
        return this.#items.takePut(message)
      case 'get':
        return this.#items.takeGet(message)
      case 'getCounter':
        return this.#items.takeGetCounter(message)
    }
  }
}

function checkOptions(options: ChordOptions): void {
  const { self, successorsMax, copies, tries } = options
  const isId = Number.isSafeInteger(self.id) && self.id >= 0 && self.id < chordIdEnd
  if (!isId) throw invalidArgument('self.id', self.id, 'a whole number from 0 to 2^52 - 1')
  const isWhole = (value: number, max: number): boolean =>
    Number.isInteger(value) && value >= 1 && value <= max
  if (!isWhole(successorsMax, 256))
    throw invalidArgument('successorsMax', successorsMax, 'a whole number from 1 to 256')
  if (!isWhole(copies, successorsMax + 1))
    throw invalidArgument('copies', copies, 'a whole number from 1 to successorsMax + 1')
  if (!isWhole(tries, 100)) throw invalidArgument('tries', tries, 'a whole number from 1 to 100')
  for (const name of ['stabiliseMs', 'fixFingersMs', 'timeoutMs', 'refreshMs', 'itemsMax'] as const)
    if (!(options[name] > 0)) throw invalidArgument(name, options[name], 'a number > 0')
}
