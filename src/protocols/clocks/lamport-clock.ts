import { invalidArgument } from '../../contracts/errors.ts'
import { checkNodeName } from './node-name.ts'

/** When something happened, by the clock of {@link LamportTimestamp.node}. Plain data: fit for a message. */
export interface LamportTimestamp {
  /** From 1 on. */
  readonly time: number
  readonly node: string
}

/** 2^52: a clock that took over the largest time a message may carry can still count on for longer than any program runs. */
export const lamportTimeMax = 2 ** 52

/**
 * A logical clock (Lamport, *Time, Clocks, and the Ordering of Events in a Distributed System*, 1978). If one event can have caused another, its time is
 * smaller; the reverse does not hold, and two events that know nothing of each other are ordered by chance (for those, see `VectorClock`).
 *
 * Volatile: a node that restarts and must not repeat a time gives its last one to the constructor.
 */
export class LamportClock {
  readonly node: string
  #time: number

  /** `time`: the last time used by this node, if it has a past (default 0). Throws `invalid-argument`. */
  constructor(node: string, time = 0) {
    this.node = checkNodeName('node', node)
    this.#time = checkTime('time', time, 0)
  }

  /** The time of the last event; 0 before the first. */
  get time(): number {
    return this.#time
  }

  /** An event of this node: one later than the last (rule IR1 of the paper). */
  tick(): LamportTimestamp {
    this.#time += 1
    return { time: this.#time, node: this.node }
  }

  /** The sending of a message is an event; the timestamp goes along with the message (rule IR2 a). */
  send(): LamportTimestamp {
    return this.tick()
  }

  /**
   * The receipt of a message is an event, later than its sending and than all before it here (rule IR2 b). Throws `invalid-argument` for a time that is no
   * whole number in 0..2^52, and has then not moved.
   */
  receive(remote: LamportTimestamp): LamportTimestamp {
    checkNodeName('remote.node', remote.node)
    this.#time = Math.max(this.#time, checkTime('remote.time', remote.time, 0))
    return this.tick()
  }
}

/** The total order of the paper: by time, then by node name. 0 only for the same event. Consistent with causality. */
export function compareLamport(a: LamportTimestamp, b: LamportTimestamp): -1 | 0 | 1 {
  if (a.time !== b.time) return a.time < b.time ? -1 : 1
  if (a.node !== b.node) return a.node < b.node ? -1 : 1
  return 0
}

function checkTime(field: string, time: number, min: number): number {
  if (Number.isSafeInteger(time) && time >= min && time <= lamportTimeMax) return time
  throw invalidArgument(field, time, `a whole number from ${min} to ${lamportTimeMax}`)
}
