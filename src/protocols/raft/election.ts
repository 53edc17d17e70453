import { votersOf } from './configuration.ts'
import type { Core } from './core.ts'
import type { Message, NodeId } from './types.ts'

type RequestVote = Extract<Message, { type: 'requestVote' }>
type RequestVoteReply = Extract<Message, { type: 'requestVoteReply' }>

/**
 * Pre-vote and vote, both sides (paper sections 5.2 and 5.4.1, thesis sections 3.10, 4.2.3 and 9.6). When an election is won the core's
 * role becomes `leader`; the machine then opens the reign.
 */
export class Election {
  readonly #core: Core
  readonly #votes = new Map<NodeId, boolean>()
  /** The write that makes this candidate's own vote durable. */
  #ownVoteSequence = 0

  constructor(core: Core) {
    this.#core = core
  }

  /** Campaigns when nothing was heard of a leader for too long. */
  tick(): void {
    const core = this.#core
    if (core.role === 'leader' || !core.mayCampaign || core.nowMs < core.electionDeadlineMs) return
    this.#askFirst()
  }

  /** The leader hands over: campaigns at once, without asking first. */
  handleTimeoutNow(): void {
    const core = this.#core
    if (core.role === 'follower' && core.isVoter && core.mayCampaign) this.#campaign(true)
  }

  /** Of this node's term, or, for a pre-vote, of any later one. */
  handleRequest(message: RequestVote): void {
    const core = this.#core
    const granted =
      this.#mayVoteFor(message) && core.isUpToDate({ index: message.lastLogIndex, term: message.lastLogTerm })
    if (message.preVote) {
      // The question changes nothing here: no term, no vote, no timer.
      const term = granted ? message.term : core.term
      core.sendInTerm(term, message.from, { type: 'requestVoteReply', preVote: true, granted })
      return
    }
    if (granted) {
      core.voteFor(message.from)
      core.restartElectionTimer()
    }
    core.send(message.from, { type: 'requestVoteReply', preVote: false, granted })
  }

  handleReply(message: RequestVoteReply): void {
    const core = this.#core
    if (core.role !== (message.preVote ? 'pre-candidate' : 'candidate')) return
    const term = message.preVote && message.granted ? core.term + 1 : core.term
    // A refused pre-vote may come from a voter of an earlier term: it says no all the same.
    const isRefusal = message.preVote && !message.granted
    if (message.term !== term && !isRefusal) return
    this.#count(message.from, message.granted)
  }

  /** The candidate's own vote counts once it is on disk: after a crash it could vote again in this term. */
  persisted(): void {
    const core = this.#core
    if (core.role !== 'candidate' || this.#votes.has(core.id)) return
    if (core.durability.durableSequence >= this.#ownVoteSequence) this.#count(core.id, true)
  }

  #askFirst(): void {
    this.#core.becomePreCandidate()
    this.#votes.clear()
    this.#requestVotes(true, false)
    this.#count(this.#core.id, true)
  }

  #campaign(isTransfer: boolean): void {
    this.#core.becomeCandidate()
    this.#votes.clear()
    this.#ownVoteSequence = this.#core.persist([])
    this.#requestVotes(false, isTransfer)
  }

  #requestVotes(preVote: boolean, transfer: boolean): void {
    const core = this.#core
    const term = preVote ? core.term + 1 : core.term
    const body = {
      type: 'requestVote' as const,
      preVote,
      transfer,
      lastLogIndex: core.log.lastIndex,
      lastLogTerm: core.log.lastTerm,
    }
    for (const voter of votersOf(core.configuration))
      if (voter !== core.id) core.sendInTerm(term, voter, body)
  }

  #count(voter: NodeId, granted: boolean): void {
    const core = this.#core
    this.#votes.set(voter, granted)
    const outcome = core.quorum.voteOutcome(this.#votes)
    if (outcome === 'lost') core.becomeFollower(core.term, 0)
    if (outcome !== 'won') return
    if (core.role === 'pre-candidate') this.#campaign(false)
    else core.becomeLeader()
  }

  #mayVoteFor(message: RequestVote): boolean {
    const core = this.#core
    if (!message.transfer && core.isInTouchWithLeader) return false
    if (message.preVote && message.term > core.term) return true
    return core.vote === message.from || (core.vote === 0 && core.leader === 0)
  }
}
