import type { ByteString } from '../../base/bytes.ts'
import type { Compare, KeyValue, RangeRequest, WatchEvent } from '../../contracts/store.ts'
import type { Fence } from '../fencing.ts'

/**
 * A waiting line as one party sees it: parties have one key each, and stand in the order of the create revisions of their keys. What a line
 * decides depends on those before one alone, and a turn once come stays: keys before one only vanish.
 */
export interface Line {
  readonly name: string
  /** Named in errors: `lock "orders"`. */
  readonly what: string
  /** The key under which a new party stands. */
  keyOf(id: string): ByteString
  /** What must be read to decide; it need not show the own key. */
  readonly reading: Pick<RangeRequest, 'key' | 'keysOnly'> & { readonly end: ByteString }
  /** Where a turn that must be waited for takes more reading than that: how many turns come before it, by the whole line. */
  readonly crowd?: {
    readonly reading: Line['reading']
    readonly ahead: (kvs: readonly KeyValue[], own: Fence) => number
  }
  /** Throws what speaks against standing in this line at all. `kvs` is the line right after the own key was put. */
  admit?(kvs: readonly KeyValue[], own: Fence): void
  /** Throws when the turn can never come. */
  standing(kvs: readonly KeyValue[], own: Fence): Standing
}

/** How a party stands in a line at one revision. */
export interface Standing {
  /** Undefined when its turn has come. */
  readonly waitsFor: Awaited | undefined
  /** How many turns come before its own; 0 when its turn has come. */
  readonly ahead: number
  /** What must hold still when the turn is taken. */
  readonly compare: readonly Compare[]
  /** Tokens of all who hold, itself included; where several can. */
  readonly live?: readonly number[]
  /** Of a semaphore: what is in force. */
  readonly limit?: number
}

/** What to watch, and which of its events are worth a new look at the line. */
export interface Awaited {
  readonly key: ByteString
  readonly end?: ByteString
  readonly isOver: (event: WatchEvent) => boolean
  /** With such an event the turn has come, and nothing need be read to know it. */
  readonly isLast?: boolean
}

export function isRemoval(event: WatchEvent): boolean {
  return event.type === 'delete'
}
