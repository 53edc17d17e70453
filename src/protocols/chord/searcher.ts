import { belongsTo } from './identifiers.ts'
import { Lookup, type LookupResult } from './lookup.ts'
import type { Messenger } from './messenger.ts'
import type { RoutingTable } from './routing-table.ts'
import type { ChordId, ChordMessage, ChordPeer } from './types.ts'

const candidatesSent = 4

type Found = (result: LookupResult) => void

/** Finds the nodes responsible for identifiers, for this node and for others that ask it. */
export class Searcher {
  readonly #messenger: Messenger
  readonly #table: RoutingTable
  readonly #successorsMax: number

  constructor(messenger: Messenger, table: RoutingTable, successorsMax: number) {
    this.#messenger = messenger
    this.#table = table
    this.#successorsMax = successorsMax
  }

  /** What this node knows, for one that searches. */
  here(id: ChordId): {
    readonly type: 'successorFound'
    readonly owners: readonly ChordPeer[]
    readonly closer: readonly ChordPeer[]
  } {
    const closer = this.#table.closerTo(id, candidatesSent)
    return { type: 'successorFound', owners: this.#ownersHere(id), closer }
  }

  lookup(id: ChordId, found: Found, failed: () => void): void {
    const search = new Lookup(id, this.#table.closerTo(id, candidatesSent * 4))
    const owners = this.#ownersHere(id)
    if (owners[0]?.id === this.#messenger.self.id) return found(search.result(owners))
    search.owners = owners
    this.#continue(search, found, failed)
  }

  /** Without what this node knows itself: for one that is not in, or asks whether others see another ring. */
  lookupFrom(contact: ChordPeer, id: ChordId, found: Found, failed: () => void): void {
    this.#continue(new Lookup(id, [contact]), found, failed)
  }

  #ownersHere(id: ChordId): readonly ChordPeer[] {
    const { predecessor, successors } = this.#table
    const { self } = this.#messenger
    if (successors.length === 0) return [self]
    const isOwn = predecessor !== undefined && belongsTo(predecessor.id, id, self.id)
    return isOwn ? [self, ...successors] : this.#table.ownersOf(id)
  }

  #continue(search: Lookup, found: Found, failed: () => void): void {
    const isShort = search.owners.length * 2 < this.#successorsMax
    const peer = isShort ? search.next() : undefined
    // What is left of a list's end may all have crashed; it is taken only where nobody nearer knows more.
    const { owners } = search
    if (owners.length > 0 && peer === undefined) return found(search.result(owners))
    if (peer === undefined) return failed()
    const passOver = (): void => {
      search.failed()
      this.#continue(search, found, failed)
    }
    const answered = (reply: ChordMessage): void => {
      if (reply.type !== 'successorFound') return passOver()
      search.answered(reply.closer, reply.owners)
      this.#continue(search, found, failed)
    }
    this.#messenger.ask(peer, { type: 'findSuccessor', id: search.id }, passOver, answered, 'slow')
  }
}
