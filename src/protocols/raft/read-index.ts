import type { Core } from './core.ts'
import type { NodeId } from './types.ts'

/** Someone who waits for a read index: this node itself (`from` is its own id) or a follower on behalf of its readers. */
interface Reader {
  readonly from: NodeId
  readonly id: number
}

interface ReadRound {
  readonly round: number
  /** The commit index when the round began: all that was acknowledged before the readers came is in it. */
  readonly index: number
  readonly readers: readonly Reader[]
}

/**
 * Readers at a leader (thesis section 6.4): the leader notes its commit index and then proves, by a round of heartbeats that began later
 * than the readers came, that no other had been elected. Readers that come while a round is under way share the next one.
 * Bounded by `pendingReadsMax`: more are dropped.
 */
export class LeaderReads {
  readonly #core: Core
  #waiting: Reader[] = []
  readonly #confirming: ReadRound[] = []
  #size = 0

  constructor(core: Core) {
    this.#core = core
  }

  /** Readers wait, and no round that would serve them or come before theirs is under way. */
  get needsRound(): boolean {
    return this.#waiting.length > 0 && this.#confirming.length === 0
  }

  get isConfirming(): boolean {
    return this.#confirming.length > 0
  }

  add(from: NodeId, id: number): void {
    if (this.#size >= this.#core.options.pendingReadsMax) {
      this.#drop({ from, id })
      return
    }
    this.#size++
    this.#waiting.push({ from, id })
  }

  /** This leader needs to ask nobody. */
  answerNow(from: NodeId, id: number): void {
    this.#answer({ from, id }, this.#core.commitIndex)
  }

  /** A round begins: it is later than the arrival of all who wait. */
  roundBegun(round: number): void {
    if (this.#waiting.length === 0) return
    this.#confirming.push({ round, index: this.#core.commitIndex, readers: this.#waiting })
    this.#waiting = []
  }

  /** A quorum has echoed `round`. */
  roundConfirmed(round: number): void {
    for (
      let first = this.#confirming[0];
      first !== undefined && first.round <= round;
      first = this.#confirming[0]
    ) {
      this.#confirming.shift()
      this.#size -= first.readers.length
      for (const reader of first.readers) this.#answer(reader, first.index)
    }
  }

  dropAll(): void {
    for (const { readers } of this.#confirming) for (const reader of readers) this.#drop(reader)
    for (const reader of this.#waiting) this.#drop(reader)
    this.#confirming.length = 0
    this.#waiting = []
    this.#size = 0
  }

  #answer({ from, id }: Reader, index: number): void {
    if (from === this.#core.id) this.#core.emit({ type: 'readReady', id, index })
    else this.#core.send(from, { type: 'readIndexReply', id, index })
  }

  #drop({ from, id }: Reader): void {
    if (from === this.#core.id) this.#core.emit({ type: 'readDropped', id })
    else refuseReadIndex(this.#core, from, id)
  }
}

/** Tells a follower that its question finds no leader here. */
export function refuseReadIndex(core: Core, to: NodeId, id: number): void {
  core.send(to, { type: 'readIndexReply', id, index: 0 })
}

interface Forwarded {
  /** Number of the question on the wire. */
  readonly question: number
  readonly leader: NodeId
  readonly term: number
  readonly deadlineMs: number
  readonly ids: readonly number[]
}

/**
 * Readers at a follower. One question to the leader is under way at a time, for all readers that had come by then; the others share the next.
 * Readers are dropped when the leader changes, refuses, or does not answer within an election timeout, and beyond `pendingReadsMax`.
 */
export class ForwardedReads {
  readonly #core: Core
  #asked: Forwarded | undefined
  #waiting: number[] = []
  #nextQuestion: number

  /**
   * `firstQuestion` differs from one start of this node to the next: the answer to a question asked before a crash is too old for a reader who came
   * after it.
   */
  constructor(core: Core, firstQuestion: number) {
    this.#core = core
    this.#nextQuestion = firstQuestion
  }

  get deadlineMs(): number {
    return this.#asked?.deadlineMs ?? Number.POSITIVE_INFINITY
  }

  add(id: number): void {
    const { leader, options } = this.#core
    const size = this.#waiting.length + (this.#asked?.ids.length ?? 0)
    if (leader === 0 || size >= options.pendingReadsMax) {
      this.#core.emit({ type: 'readDropped', id })
      return
    }
    this.#waiting.push(id)
    if (this.#asked === undefined) this.#ask()
  }

  /** `index` 0: refused. */
  answered(question: number, index: number): void {
    const asked = this.#asked
    if (asked?.question !== question) return
    this.#asked = undefined
    for (const id of asked.ids) {
      this.#core.emit(index === 0 ? { type: 'readDropped', id } : { type: 'readReady', id, index })
    }
    if (this.#waiting.length > 0) this.#ask()
  }

  /** Drops all readers when the leader they asked leads no more or is silent. */
  check(): void {
    const asked = this.#asked
    if (asked === undefined) return
    const { leader, term, nowMs } = this.#core
    if (leader !== asked.leader || term !== asked.term || nowMs >= asked.deadlineMs) this.dropAll()
  }

  dropAll(): void {
    const ids = [...(this.#asked?.ids ?? []), ...this.#waiting]
    this.#asked = undefined
    this.#waiting = []
    for (const id of ids) this.#core.emit({ type: 'readDropped', id })
  }

  #ask(): void {
    const { leader, term, nowMs, options } = this.#core
    const question = this.#nextQuestion++
    const deadlineMs = nowMs + options.electionTimeoutMs
    this.#asked = { question, leader, term, deadlineMs, ids: this.#waiting }
    this.#waiting = []
    this.#core.send(leader, { type: 'readIndex', id: question })
  }
}
