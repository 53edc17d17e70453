import { CompactReader, CompactWriter } from '../../base/compact-bytes.ts'
import { AlthingError, invalidArgument } from '../../contracts/errors.ts'
import type { Departures } from './departures.ts'
import { checkNodeName } from './node-name.ts'

/** How one clock stands to another: it happened `before` it, `after` it, is `equal`, or neither knows of the other (`concurrent`). */
export type Causality = 'before' | 'after' | 'equal' | 'concurrent'

type Counts = ReadonlyMap<string, number>

const none: Counts = new Map()

/**
 * A vector clock (Fidge, *Timestamps in Message-Passing Systems That Preserve the Partial Ordering*, 1988; Mattern, *Virtual Time and Global States of Distributed
 * Systems*, 1989): how many events of each node are known. Of two events, one can have caused the other exactly if its clock is `before` the other's.
 *
 * A value that never changes: each operation makes a new one. It has one entry for each node that ever ticked, until {@link prune} takes out those who left.
 */
export class VectorClock {
  static readonly zero = new VectorClock(none, none, 0)

  /** Entries of nodes that are not known to have departed: all > 0; absent means 0. */
  readonly #counts: Counts
  /** Entries of departed nodes of which this clock has not seen the end; absent means all events of the node. */
  readonly #behind: Counts
  readonly #epoch: number

  private constructor(counts: Counts, behind: Counts, epoch: number) {
    this.#counts = counts
    this.#behind = behind
    this.#epoch = epoch
  }

  /** From plain counts, each a whole number of 0 or more. */
  static of(counts: Readonly<Record<string, number>>): VectorClock {
    const kept = new Map<string, number>()
    for (const [node, count] of Object.entries(counts)) {
      checkNodeName('node', node)
      if (!Number.isSafeInteger(count) || count < 0)
        throw invalidArgument(`counts.${node}`, count, 'a whole number of 0 or more')
      if (count > 0) kept.set(node, count)
    }
    return new VectorClock(kept, none, 0)
  }

  /** How many departures it has been pruned by. Clocks of different epochs must be pruned to the same before they meet. */
  get epoch(): number {
    return this.#epoch
  }

  /** Number of entries: what its size grows with. */
  get size(): number {
    return this.#counts.size + this.#behind.size
  }

  /** Events known of a node that has not departed. */
  get(node: string): number {
    return this.#counts.get(node) ?? 0
  }

  /** Entries in the order of the names. Those of departed nodes are not among them. */
  entries(): ReadonlyMap<string, number> {
    return new Map(inOrder(this.#counts))
  }

  /** An event of `node`, the sending of a message included. Only the node itself counts its events, each once. */
  tick(node: string): VectorClock {
    checkNodeName('node', node)
    if (this.#behind.has(node)) throw invalidArgument('node', node, 'a node that has not departed')
    return new VectorClock(new Map(this.#counts).set(node, this.get(node) + 1), this.#behind, this.#epoch)
  }

  /** All that either knows: the least clock that is not before any of the two. To receive a message is `own.merge(its).tick(self)`. */
  merge(other: VectorClock): VectorClock {
    this.#checkEpoch(other)
    const counts = new Map(this.#counts)
    for (const [node, count] of other.#counts) counts.set(node, Math.max(count, this.get(node)))
    // Behind only if both are: the one that has no entry knows all of the departed node.
    const behind = new Map<string, number>()
    for (const [node, count] of this.#behind) {
      const others = other.#behind.get(node)
      if (others !== undefined) behind.set(node, Math.max(count, others))
    }
    return new VectorClock(counts, behind, this.#epoch)
  }

  /** Throws `conflict` when the two have not been pruned by the same departures. */
  compare(other: VectorClock): Causality {
    this.#checkEpoch(other)
    const isLess = exceeds(other.#counts, this.#counts, 0) || exceeds(other.#behind, this.#behind, Infinity)
    const isMore = exceeds(this.#counts, other.#counts, 0) || exceeds(this.#behind, other.#behind, Infinity)
    if (isLess && isMore) return 'concurrent'
    if (isLess) return 'before'
    return isMore ? 'after' : 'equal'
  }

  /**
   * Takes out the entries of nodes that have departed. Two clocks that are pruned by the same list compare exactly as before, in all four answers, provided that
   * the final counts are final (see {@link Departures}). An entry goes for good when this clock has seen all events of the node; an old clock, which has not, keeps a
   * smaller entry, and whatever is merged from it and a newer one drops it. So clocks in use are bounded by the nodes that are there.
   *
   * Throws `invalid-argument` when an entry is over the final count: the list is wrong, and nothing that was pruned by it can be trusted.
   */
  prune(departures: Departures): VectorClock {
    if (departures.epoch < this.#epoch)
      throw invalidArgument('departures', departures.epoch, `a list of ${this.#epoch} departures or more`)
    const left = departures.since(this.#epoch)
    if (left.length === 0) return this
    const counts = new Map(this.#counts)
    const behind = new Map(this.#behind)
    for (const { node, finalCount } of left) {
      const count = this.get(node)
      if (count > finalCount)
        throw invalidArgument(
          `the final count of "${node}"`,
          finalCount,
          `${count} or more: a clock has seen as many`,
        )
      counts.delete(node)
      if (count < finalCount) behind.set(node, count)
    }
    return new VectorClock(counts, behind, departures.epoch)
  }

  /** A few bytes an entry: names in order, numbers as LEB128. Equal clocks have equal bytes. */
  encode(): Uint8Array {
    const writer = new CompactWriter().unsigned(this.#epoch)
    for (const part of [this.#counts, this.#behind]) {
      writer.unsigned(part.size)
      for (const [node, count] of inOrder(part)) writer.text(node).unsigned(count)
    }
    return writer.finish()
  }

  /** The inverse of {@link encode}. Throws `corrupt` for bytes that are no clock. */
  static decode(bytes: Uint8Array): VectorClock {
    try {
      const reader = new CompactReader(bytes)
      const epoch = reader.count()
      const counts = readCounts(reader, 1)
      const behind = readCounts(reader, 0)
      if (!reader.isAtEnd) throw new RangeError('bytes are left over')
      return new VectorClock(counts, behind, epoch)
    } catch (cause) {
      throw new AlthingError('corrupt', `the bytes are no vector clock: ${(cause as Error).message}`, {
        cause,
      })
    }
  }

  #checkEpoch(other: VectorClock): void {
    if (this.#epoch === other.#epoch) return
    throw new AlthingError(
      'conflict',
      `the clocks are pruned by ${this.#epoch} and by ${other.#epoch} departures: prune both by the same list first`,
      { outcome: 'none', details: { epochs: [this.#epoch, other.#epoch] } },
    )
  }
}

/** Whether some entry of `a` is greater than that of `b`, where an absent one counts as `absent`. */
function exceeds(a: Counts, b: Counts, absent: number): boolean {
  if (absent > 0) return [...b].some(([node, count]) => (a.get(node) ?? absent) > count)
  return [...a].some(([node, count]) => count > (b.get(node) ?? absent))
}

function inOrder(counts: Counts): [string, number][] {
  return [...counts].sort(([a], [b]) => (a < b ? -1 : 1))
}

function readCounts(reader: CompactReader, min: number): Counts {
  const counts = new Map<string, number>()
  let last = ''
  for (let left = reader.count(); left > 0; left--) {
    const node = checkNodeName('node', reader.text())
    const count = reader.count()
    if (node <= last) throw new RangeError('the names are not in order')
    if (count < min) throw new RangeError('an entry is empty')
    counts.set(node, count)
    last = node
  }
  return counts
}
