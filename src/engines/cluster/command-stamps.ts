import type { SessionStamp } from '../../models/store/types.ts'

/** A stamp that is out, in the list of all that are, in their order. */
export interface OutstandingStamp extends SessionStamp {
  isSettled: boolean
  before: OutstandingStamp | undefined
  after: OutstandingStamp | undefined
}

/** Numbers the commands of one session, and knows up to where the client has had every reply. */
export class CommandStamps {
  readonly session: number
  #next = 1
  #outstanding = 0
  #first: OutstandingStamp | undefined
  #last: OutstandingStamp | undefined

  constructor(session: number) {
    this.session = session
  }

  get outstanding(): number {
    return this.#outstanding
  }

  take(): OutstandingStamp {
    const acknowledged = (this.#first?.sequence ?? this.#next) - 1
    const sequence = this.#next++
    const { session } = this
    const before = this.#last
    const stamp = { session, sequence, acknowledged, isSettled: false, before, after: undefined }
    if (before === undefined) this.#first = stamp
    else before.after = stamp
    this.#last = stamp
    this.#outstanding++
    return stamp
  }

  /** The reply has arrived, or nobody will ask for it again. */
  settle(stamp: OutstandingStamp): void {
    if (stamp.isSettled) return
    stamp.isSettled = true
    const { before, after } = stamp
    if (before === undefined) this.#first = after
    else before.after = after
    if (after === undefined) this.#last = before
    else after.before = before
    // It must not hold on to what is younger: an old object would keep it from the young collector.
    stamp.before = stamp.after = undefined
    this.#outstanding--
  }
}
