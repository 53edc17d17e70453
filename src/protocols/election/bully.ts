import { unreachable } from '../../base/assert.ts'
import { checkElectionOptions, Standing } from './standing.ts'
import {
  type ElectionEffect,
  type ElectionEvent,
  type ElectionMachine,
  electionMachineDefaults,
  heartbeatsMissedMax,
  type ElectionOptions,
  type ElectionState,
  type NodeId,
} from './types.ts'

/** `term`: of the leader in `elected`, `alive` and `resigned`; else the greatest that the sender has heard of. */
export interface BullyMessage {
  readonly type:
    | 'areYouUp'
    /** Answer to `areYouUp`: a greater node is there, and will elect. */
    | 'up'
    /** Enter the election, and stop leading. */
    | 'halt'
    | 'halted'
    | 'elected'
    /** The leader's heartbeat. */
    | 'alive'
    | 'resigned'
  readonly from: NodeId
  readonly to: NodeId
  readonly term: number
}

/**
 * What the node is about.
 * - `asking`: whether any greater node is up; until 2 delays after the question.
 * - `waiting`: a greater one is, and must have been elected by then.
 * - `halting`: it is the greatest, and waits until the smaller ones have stopped.
 * - `halted`: a greater one has stopped this node, and must show itself as leader by then.
 */
type Phase = 'normal' | 'asking' | 'waiting' | 'halting' | 'halted'

/**
 * The bully election (Garcia-Molina, *Elections in a Distributed Computing System*, IEEE Transactions on Computers C-31, 1982, section III): the greatest node that is up leads. A
 * node that misses the leader asks all greater ones; if none answers in time it halts the smaller ones, and leads. A greater node that comes up takes over.
 *
 * The halt is what keeps two from leading at once while the system is synchronous: the one who led has stopped, or crashed, before the next one leads. It also
 * brings the greatest term that anyone remembers.
 */
export class Bully implements ElectionMachine<BullyMessage> {
  readonly #options: ElectionOptions
  readonly #standing = new Standing<BullyMessage>()
  readonly #greater: readonly NodeId[]
  readonly #smaller: readonly NodeId[]
  readonly #notHalted = new Set<NodeId>()
  #isEligible: boolean
  #phase: Phase = 'normal'
  #haltedBy: NodeId = 0
  #phaseEndsMs = Number.POSITIVE_INFINITY
  #heartbeatMs = Number.POSITIVE_INFINITY
  #nowMs: number

  /** Starts an election at its first `tick`, as a node that recovers does. Throws `invalid-argument`. */
  constructor(options: Pick<ElectionOptions, 'id' | 'members'> & Partial<ElectionOptions>, nowMs: number) {
    this.#options = { ...electionMachineDefaults, ...options }
    checkElectionOptions(this.#options)
    const { id, members, eligible, electsAtStart, term } = this.#options
    this.#greater = members.filter((member) => member > id)
    this.#smaller = members.filter((member) => member < id)
    this.#standing.heardTerm(term)
    this.#isEligible = eligible
    this.#nowMs = nowMs
    if (eligible && electsAtStart) this.#phaseEndsMs = nowMs
  }

  get state(): ElectionState {
    return this.#standing.state
  }

  get nextDeadlineMs(): number {
    return Math.min(this.#phaseEndsMs, this.#heartbeatMs)
  }

  step(event: ElectionEvent<BullyMessage>, nowMs: number): ElectionEffect<BullyMessage>[] {
    this.#nowMs = nowMs
    switch (event.type) {
      case 'tick':
        this.#tick()
        break
      case 'receive':
        this.#receive(event.message)
        break
      case 'suspect':
        this.#elect()
        break
      case 'persisted':
        break
      case 'setEligible':
        this.#setEligible(event.eligible)
        break
      default:
        unreachable(event)
    }
    return this.#standing.take()
  }

  #tick(): void {
    if (this.#nowMs >= this.#heartbeatMs) this.#showLife()
    if (this.#nowMs < this.#phaseEndsMs) return
    switch (this.#phase) {
      case 'asking':
        return this.#haltSmaller()
      case 'halting':
        return this.#lead()
      // The leader is silent, or whoever was to become it.
      case 'normal':
      case 'waiting':
      case 'halted':
        return this.#elect()
      default:
        unreachable(this.#phase)
    }
  }

  #receive({ type, from, term }: BullyMessage): void {
    switch (type) {
      case 'areYouUp':
        return this.#answer(from, term)
      case 'up':
        this.#standing.heardTerm(term)
        if (this.#phase === 'asking') this.#enter('waiting', 6)
        return
      case 'halt':
        return this.#halt(from, term)
      case 'halted':
        this.#standing.heardTerm(term)
        if (this.#phase !== 'halting') return
        this.#notHalted.delete(from)
        if (this.#notHalted.size === 0) this.#lead()
        return
      case 'elected':
      case 'alive':
        return this.#heardLeader(from, term)
      case 'resigned':
        if (from === this.#standing.leader) this.#elect()
        return
      default:
        unreachable(type)
    }
  }

  /** Only smaller nodes ask. A leader shows itself; any other elects in the asker's place. */
  #answer(from: NodeId, term: number): void {
    this.#standing.heardTerm(term)
    if (!this.#isEligible) return
    this.#send('up', from)
    const { role, termSeen } = this.#standing
    // One that has followed a leader of a greater term, in another part of the network, follows none of this term.
    if (role === 'leader' && termSeen === this.#standing.term) this.#send('alive', from, termSeen)
    else if (this.#phase === 'normal') this.#elect()
  }

  #halt(from: NodeId, term: number): void {
    this.#standing.heardTerm(term)
    this.#standing.set('follower', 0)
    this.#heartbeatMs = Number.POSITIVE_INFINITY
    this.#haltedBy = from
    this.#enter('halted', 4)
    this.#send('halted', from)
  }

  #heardLeader(from: NodeId, term: number): void {
    const standing = this.#standing
    const isOld = term < standing.term || (term === standing.term && from < standing.leader)
    standing.heardTerm(term)
    if (this.#isEligible && from < this.#options.id) {
      // Both of two leaders that were apart, or a node that came up: the greater one takes over.
      if (this.#phase === 'normal') this.#elect()
      return
    }
    if (isOld || (this.#phase === 'halted' && from < this.#haltedBy)) return
    this.#heartbeatMs = Number.POSITIVE_INFINITY
    standing.set('follower', from, term)
    this.#expectLeader()
  }

  #elect(): void {
    this.#heartbeatMs = Number.POSITIVE_INFINITY
    if (!this.#isEligible) {
      this.#standing.set('follower', 0)
      this.#phase = 'normal'
      this.#phaseEndsMs = Number.POSITIVE_INFINITY
      return
    }
    this.#standing.set('candidate', 0)
    if (this.#greater.length === 0) return this.#haltSmaller()
    this.#enter('asking', 2)
    for (const greater of this.#greater) this.#send('areYouUp', greater)
  }

  #haltSmaller(): void {
    this.#notHalted.clear()
    for (const smaller of this.#smaller) {
      this.#notHalted.add(smaller)
      this.#send('halt', smaller)
    }
    this.#enter('halting', 2)
    if (this.#notHalted.size === 0) this.#lead()
  }

  #lead(): void {
    const term = this.#standing.nextTerm(this.#options)
    this.#standing.set('leader', this.#options.id, term)
    this.#phase = 'normal'
    this.#phaseEndsMs = Number.POSITIVE_INFINITY
    for (const smaller of this.#smaller) this.#send('elected', smaller, term)
    this.#showLife()
  }

  /** To the smaller ones, who follow; and to the greater ones, which may come up, or not stand, or lead as well in another part of the network. */
  #showLife(): void {
    const { heartbeatMs } = this.#options
    const isFirst = this.#heartbeatMs === Number.POSITIVE_INFINITY
    this.#heartbeatMs = this.#nowMs + heartbeatMs
    // The smaller ones have just been told that it is elected.
    const receivers = isFirst ? this.#greater : [...this.#smaller, ...this.#greater]
    for (const member of receivers) this.#send('alive', member, this.#standing.term)
  }

  #setEligible(eligible: boolean): void {
    if (eligible === this.#isEligible) return
    this.#isEligible = eligible
    if (eligible) return this.#elect()
    const { role, term, leader } = this.#standing
    if (role === 'follower' && this.#phase === 'normal' && leader !== 0) return
    this.#elect()
    if (role !== 'leader') return
    for (const member of this.#options.members)
      if (member !== this.#options.id) this.#send('resigned', member, term)
  }

  #expectLeader(): void {
    const { heartbeatMs, delayMsMax } = this.#options
    this.#phase = 'normal'
    this.#phaseEndsMs = this.#nowMs + heartbeatsMissedMax * heartbeatMs + delayMsMax
  }

  #enter(phase: Phase, delays: number): void {
    this.#phase = phase
    this.#phaseEndsMs = this.#nowMs + delays * this.#options.delayMsMax
  }

  #send(type: BullyMessage['type'], to: NodeId, term: number = this.#standing.termSeen): void {
    this.#standing.send({ type, from: this.#options.id, to, term })
  }
}
