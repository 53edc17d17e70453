import type { Configuration, NodeId, RaftEffect, RaftEvent, RaftStatus } from '../../protocols/raft/types.ts'
import { DurableState } from './durable-state.ts'
import { InvariantViolation } from './violation.ts'

/** What an invariant may ask a machine. */
export interface RaftView {
  status(): RaftStatus
  term(index: number): number | undefined
}

/** One member, over all its starts. */
export class Member {
  readonly id: NodeId
  /** 1 for its first start. */
  life = 0
  /** As of its last step; `undefined` before the first one. */
  status: RaftStatus | undefined
  readonly durable = new DurableState()
  /** Since its last start it has given up its copy, or was about to. */
  hasGivenUp = false

  constructor(id: NodeId) {
    this.id = id
  }
}

/** One step of one machine. */
export interface MemberStep {
  readonly timeMs: number
  readonly member: Member
  readonly event: RaftEvent
  readonly effects: readonly RaftEffect[]
  readonly raft: RaftView
  /** `undefined` in the first step of a life. */
  readonly before: RaftStatus | undefined
  readonly after: RaftStatus
}

export interface CommittedEntry {
  readonly term: number
  /** Term of the leader that first knew it to be committed. */
  readonly inTerm: number
}

export interface Agreement {
  /** More than half of the voters, in a joint configuration of each set. */
  readonly isQuorum: boolean
  readonly voters: readonly NodeId[]
}

/** A rule that must hold after every step of every machine. */
export interface RaftInvariant {
  readonly name: string
  /** Returns what is wrong, if anything. Called with the step already entered into `cluster`. */
  check(step: MemberStep, cluster: ClusterView): string | undefined
  /** Called in the first step of a life, before the step is entered: `member.durable` is what the life before left. */
  checkRestart?(step: MemberStep): string | undefined
}

/**
 * All members of a group as one who sees everything at once would: what no member can see. Fed with every step of every machine; asks
 * the invariants after each.
 */
export class ClusterView {
  readonly #members: Map<NodeId, Member>
  readonly #invariants: readonly RaftInvariant[]
  readonly #violated: (violation: InvariantViolation) => void
  readonly #committed: CommittedEntry[] = []
  #steps = 0

  constructor(
    ids: readonly NodeId[],
    invariants: readonly RaftInvariant[],
    violated: (violation: InvariantViolation) => void,
  ) {
    this.#members = new Map(ids.map((id) => [id, new Member(id)]))
    this.#invariants = invariants
    this.#violated = violated
  }

  /** All that were ever started, or named at the beginning: those who have left the group too. */
  get members(): ReadonlyMap<NodeId, Member> {
    return this.#members
  }

  /** Machine steps judged so far. */
  get steps(): number {
    return this.#steps
  }

  /** Highest index that any member has known to be committed. */
  get commitIndex(): number {
    return this.#committed.length
  }

  committed(index: number): CommittedEntry | undefined {
    return this.#committed[index - 1]
  }

  /** Which voters of `configuration` agree, and whether they can decide; one that never started does not agree. */
  agreement({ voters, outgoingVoters = [] }: Configuration, agrees: (member: Member) => boolean): Agreement {
    const hasAgreed = (id: NodeId): boolean => {
      const member = this.#members.get(id)
      return member !== undefined && agrees(member)
    }
    const isMajority = (ids: readonly NodeId[]): boolean => ids.filter(hasAgreed).length * 2 > ids.length
    return {
      isQuorum: isMajority(voters) && (outgoingVoters.length === 0 || isMajority(outgoingVoters)),
      voters: [...new Set([...voters, ...outgoingVoters])].filter(hasAgreed),
    }
  }

  /** The member starts (again), and joins if it is new; its steps carry the returned life. */
  started(id: NodeId): number {
    if (!this.#members.has(id)) this.#members.set(id, new Member(id))
    const member = this.#member(id)
    member.status = undefined
    return ++member.life
  }

  /** The member gives up its copy, as one that left may: its next one may start without a log, with the term and the vote of this one. */
  givenUp(id: NodeId): void {
    this.#member(id).hasGivenUp = true
  }

  stepped(
    timeMs: number,
    id: NodeId,
    event: RaftEvent,
    effects: readonly RaftEffect[],
    raft: RaftView,
  ): MemberStep {
    const member = this.#member(id)
    const step = { timeMs, member, event, effects, raft, before: member.status, after: raft.status() }
    if (step.before === undefined) this.#restarted(step)
    this.#steps++
    member.status = step.after
    if (event.type === 'persisted') member.durable.complete(event.sequence)
    member.durable.begin(effects)
    this.#noteCommitted(step)
    for (const invariant of this.#invariants) this.#report(invariant, step, invariant.check(step, this))
    return step
  }

  #restarted(step: MemberStep): void {
    const { member, raft, after } = step
    if (member.hasGivenUp && after.lastIndex === 0) member.durable.forgetLog()
    member.hasGivenUp = false
    if (member.life > 1) {
      for (const invariant of this.#invariants) {
        this.#report(invariant, step, invariant.checkRestart?.(step))
      }
    }
    const terms: number[] = []
    for (let index = after.firstIndex; index <= after.persistedIndex; index++) {
      terms.push(raft.term(index) as number)
    }
    const isTermUnwritten = step.effects.some((effect) => effect.type === 'persist' && effect.hardState)
    const { term, vote } = isTermUnwritten ? member.durable : after
    member.durable.restart(term, vote, after.firstIndex - 1, terms)
  }

  #noteCommitted({ raft, after }: MemberStep): void {
    for (let index = this.#committed.length + 1; index <= after.commitIndex; index++) {
      this.#committed.push({ term: raft.term(index) ?? 0, inTerm: after.term })
    }
  }

  #report(invariant: RaftInvariant, step: MemberStep, problem: string | undefined): void {
    if (problem === undefined) return
    const where = `node ${step.member.id} (start ${step.member.life}) after ${step.event.type}`
    this.#violated(new InvariantViolation(invariant.name, `${where}: ${problem}`))
  }

  #member(id: NodeId): Member {
    return this.#members.get(id) as Member
  }
}
