import { unreachable } from '../../base/assert.ts'
import { checkElectionOptions, Standing } from './standing.ts'
import { Successors } from './successors.ts'
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

/** What goes round the ring. */
export interface RingToken {
  readonly type: /** `about` is a candidate: the greatest that the token has met so far. */
    | 'candidate'
    /** `about` leads. */
    | 'elected'
    /** The leader's heartbeat. */
    | 'alive'
    | 'resigned'
  readonly about: NodeId
  /** Tells the tokens about one node apart: each node passes each token on once, though it comes twice. */
  readonly serial: number
  /** Of the leader; of a candidate, the greatest that the token has met. */
  readonly term: number
  /** Nodes that it has passed: one that is nobody's any more ends after a round. */
  readonly hops: number
}

export type RingMessage = { readonly from: NodeId; readonly to: NodeId; readonly sequence: number } & (
  | { readonly type: 'pass'; readonly token: RingToken }
  /** The token of that sequence has arrived. */
  | { readonly type: 'passed' }
  /** To one that was passed over: is it up again? Answered by `passed`. */
  | { readonly type: 'probe' }
)

/** Tokens that a node remembers having passed on. */
const tokensKept = 1_024

/**
 * The ring election of Chang and Roberts (*An Improved Algorithm for Decentralized Extrema-Finding in Circular Configurations of Processes*, CACM 22(5), 1979): a candidate's number goes round one way;
 * each node passes greater numbers on and stops smaller ones; whose number comes back is the greatest, and leads. The paper has a ring that never breaks. Here a node that does not
 * acknowledge a token in time is passed over ({@link Successors}), the leader's heartbeat goes round too, and an election whose result does not come is begun again.
 *
 * Le Lann's older algorithm (1977), which it improves, passes every number all the way round: n² messages when all begin.
 */
export class RingElection implements ElectionMachine<RingMessage> {
  readonly #options: ElectionOptions
  readonly #standing = new Standing<RingMessage>()
  readonly #successors: Successors
  #isEligible: boolean
  /** The greatest candidate that has passed here, the own one included; 0 outside of an election. */
  #best: NodeId = 0
  #silenceEndsMs = Number.POSITIVE_INFINITY
  #heartbeatMs = Number.POSITIVE_INFINITY
  readonly #passed = new Set<string>()
  #serial: number
  #announcesMs: number
  #nowMs: number

  /** Announces itself at its first `tick`, and two delays later starts an election. Throws `invalid-argument`. */
  constructor(options: Pick<ElectionOptions, 'id' | 'members'> & Partial<ElectionOptions>, nowMs: number) {
    this.#options = { ...electionMachineDefaults, ...options }
    checkElectionOptions(this.#options)
    const { id, members, delayMsMax, heartbeatMs, term, eligible, electsAtStart } = this.#options
    this.#successors = new Successors({
      id,
      members,
      replyMsMax: 2 * delayMsMax,
      probeMs: heartbeatMs,
      send: (message) => this.#standing.send(message),
      round: (token) => this.#handle(token),
    })
    this.#standing.heardTerm(term)
    this.#isEligible = eligible
    this.#nowMs = nowMs
    // Unlike those of an earlier life, as far as anyone still has one of them.
    this.#serial = Math.floor(nowMs) * 1_024
    this.#announcesMs = nowMs
    // Until all others know that they may not pass over this node any more.
    if (eligible && electsAtStart) this.#silenceEndsMs = nowMs + 2 * delayMsMax
  }

  get state(): ElectionState {
    return this.#standing.state
  }

  get nextDeadlineMs(): number {
    const ownMs = Math.min(this.#announcesMs, this.#silenceEndsMs, this.#heartbeatMs)
    return Math.min(ownMs, this.#successors.nextDeadlineMs)
  }

  step(event: ElectionEvent<RingMessage>, nowMs: number): ElectionEffect<RingMessage>[] {
    this.#nowMs = nowMs
    switch (event.type) {
      case 'tick':
        if (this.#announcesMs <= nowMs) {
          this.#announcesMs = Number.POSITIVE_INFINITY
          this.#successors.announce()
        }
        this.#successors.tick(nowMs)
        if (nowMs >= this.#heartbeatMs) this.#showLife()
        if (nowMs >= this.#silenceEndsMs) this.#elect()
        break
      case 'receive': {
        const token = this.#successors.receive(event.message, nowMs)
        if (token !== undefined) this.#handle(token)
        break
      }
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

  #handle(token: RingToken): void {
    const { type, about, term, hops } = token
    this.#standing.heardTerm(term)
    if (hops > this.#options.members.length || !this.#isNew(token)) return
    switch (type) {
      case 'candidate':
        return this.#heardCandidate(token)
      case 'elected':
      case 'alive':
        return this.#heardLeader(token)
      case 'resigned':
        if (about === this.#options.id) return
        // Whoever stands begins an election, whose token goes on in the place of this one.
        if (about === this.#standing.leader) this.#elect()
        if (this.#standing.role !== 'candidate') this.#pass(token)
        return
      default:
        unreachable(type)
    }
  }

  #isNew({ type, about, serial }: RingToken): boolean {
    if (about === this.#options.id) return true
    const name = `${type} ${about} ${serial}`
    if (this.#passed.has(name)) return false
    this.#passed.add(name)
    const [oldest] = this.#passed
    if (this.#passed.size > tokensKept && oldest !== undefined) this.#passed.delete(oldest)
    return true
  }

  #heardCandidate(token: RingToken): void {
    const { id } = this.#options
    if (token.about === id) {
      // One that was stopped by a greater candidate, or has resigned, does not lead though its number comes back.
      const isLatest = token.serial === this.#serial
      if (isLatest && this.#best === id && this.#standing.role === 'candidate') this.#lead()
      return
    }
    if (this.#isEligible && token.about < id) {
      const { role, term, termSeen } = this.#standing
      // One that has followed a leader of a greater term, in another part of the network, follows none of this term.
      if (role === 'leader' && term === termSeen) this.#showLife()
      else if (this.#best < id) this.#elect()
      return
    }
    if (this.#isEligible) {
      this.#best = Math.max(this.#best, token.about)
      this.#heartbeatMs = Number.POSITIVE_INFINITY
      this.#standing.set('follower', 0)
      this.#expectWithin(this.#roundsMs(3))
    }
    this.#pass({ ...token, term: this.#standing.termSeen })
  }

  #heardLeader(token: RingToken): void {
    const { id } = this.#options
    const standing = this.#standing
    if (token.about === id) return
    if (this.#isEligible && token.about < id) {
      // Both of two leaders that were apart, or a node that came up: the greater one takes over.
      if (this.#best < id) this.#elect()
      return
    }
    this.#pass(token)
    const isOld =
      token.term < standing.term || (token.term === standing.term && token.about < standing.leader)
    if (isOld || token.about < this.#best) return
    this.#best = 0
    this.#heartbeatMs = Number.POSITIVE_INFINITY
    standing.set('follower', token.about, token.term)
    const { heartbeatMs } = this.#options
    this.#expectWithin(heartbeatsMissedMax * heartbeatMs + this.#roundsMs(1))
  }

  #elect(): void {
    this.#heartbeatMs = Number.POSITIVE_INFINITY
    if (!this.#isEligible) {
      this.#best = 0
      this.#standing.set('follower', 0)
      this.#silenceEndsMs = Number.POSITIVE_INFINITY
      return
    }
    const { id } = this.#options
    this.#best = id
    this.#standing.set('candidate', 0)
    this.#expectWithin(this.#roundsMs(3))
    this.#begin('candidate', this.#standing.termSeen)
  }

  #lead(): void {
    const { id } = this.#options
    const term = this.#standing.nextTerm(this.#options)
    this.#best = 0
    this.#silenceEndsMs = Number.POSITIVE_INFINITY
    this.#heartbeatMs = this.#nowMs + this.#options.heartbeatMs
    this.#standing.set('leader', id, term)
    this.#begin('elected', term)
  }

  #showLife(): void {
    this.#heartbeatMs = this.#nowMs + this.#options.heartbeatMs
    this.#begin('alive', this.#standing.term)
  }

  #setEligible(eligible: boolean): void {
    if (eligible === this.#isEligible) return
    this.#isEligible = eligible
    const { role, term } = this.#standing
    if (eligible) return this.#elect()
    if (role === 'follower') return
    this.#elect()
    if (role === 'leader') this.#begin('resigned', term)
  }

  /** A token about this node. */
  #begin(type: RingToken['type'], term: number): void {
    this.#serial += 1
    this.#pass({ type, about: this.#options.id, serial: this.#serial, term, hops: 0 })
  }

  #pass(token: RingToken): void {
    this.#successors.pass({ ...token, hops: token.hops + 1 }, this.#nowMs)
  }

  /** The longest that a token takes for so many rounds, with two nodes passed over on the way. */
  #roundsMs(rounds: number): number {
    const { members, delayMsMax } = this.#options
    return (rounds * members.length + 8) * delayMsMax
  }

  #expectWithin(ms: number): void {
    this.#silenceEndsMs = this.#nowMs + ms
  }
}
