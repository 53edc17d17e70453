import { invalidArgument } from '../../contracts/errors.ts'
import { checkNodeName } from './node-name.ts'

/** A node that is gone for good, and how many events it had. */
export interface Departure {
  readonly node: string
  /** No clock anywhere has, or will ever have, a larger entry for the node. */
  readonly finalCount: number
}

/**
 * The nodes that have left, in an order that all agree on (a key of the store, a replicated log): what `VectorClock.prune` needs. Every copy of the list is a prefix of
 * every longer one.
 *
 * What makes a pruned clock compare as before is that each `finalCount` is final: the node makes no event after it. A node that comes back does so under
 * another name. So record a departure only after the node has said its last count itself, or is fenced off and its last count has been read.
 */
export class Departures {
  readonly #list: Departure[] = []
  readonly #finalCounts = new Map<string, number>()

  constructor(departures: Iterable<Departure> = []) {
    for (const departure of departures) this.add(departure)
  }

  /** How many there are: the epoch of a clock that was pruned by all of them. */
  get epoch(): number {
    return this.#list.length
  }

  add({ node, finalCount }: Departure): void {
    checkNodeName('departure.node', node)
    if (this.#finalCounts.has(node))
      throw invalidArgument('departure.node', node, 'a node that has not departed yet')
    if (!Number.isSafeInteger(finalCount) || finalCount < 0)
      throw invalidArgument('departure.finalCount', finalCount, 'a whole number of 0 or more')
    this.#list.push({ node, finalCount })
    this.#finalCounts.set(node, finalCount)
  }

  has(node: string): boolean {
    return this.#finalCounts.has(node)
  }

  /** Those that a clock of the epoch `from` has not been pruned by. */
  since(from: number): readonly Departure[] {
    return this.#list.slice(from)
  }
}
