import { bytesFromText } from '../../base/bytes.ts'
import { Raft } from './raft.ts'
import { SeededRandom } from './raft-cluster.testkit.ts'
import { encodeConfiguration, votersOf } from './configuration.ts'
import type {
  Configuration,
  Entry,
  LogPosition,
  Message,
  NodeId,
  RaftEffect,
  RaftEvent,
  RaftOptions,
  SnapshotMeta,
} from './types.ts'

type Type = Message['type']
type OfType<T extends Type> = Extract<Message, { type: T }>
type Effect<T extends RaftEffect['type']> = Extract<RaftEffect, { type: T }>

export interface DriverStart {
  readonly id?: NodeId
  readonly voters?: readonly NodeId[]
  /** In place of `voters`, where there is more to say. */
  readonly configuration?: Configuration
  readonly term?: number
  readonly vote?: NodeId
  /** Terms of the entries found in the log, from index 1 on (or after the snapshot). */
  readonly log?: readonly (number | Entry)[]
  readonly votingFloor?: LogPosition
  readonly snapshot?: { readonly index: number; readonly term: number }
  readonly options?: Partial<RaftOptions>
  /** Whether each write is durable at once (default); otherwise `persist` says when. */
  readonly isDiskInstant?: boolean
  readonly seed?: number
}

/** One machine, stepped by hand; gathers what it wants done. */
export class Driver {
  readonly raft: Raft
  nowMs = 0
  /** All effects since {@link Driver.clear}. */
  effects: RaftEffect[] = []
  sequence = 0
  /** The newest that the machine has sent entries in. */
  round = 0
  readonly #isDiskInstant: boolean

  constructor(start: DriverStart = {}) {
    const { id = 1, voters = [1, 2, 3], term = 0, vote = 0, log = [], isDiskInstant = true, seed = 1 } = start
    const base = start.snapshot?.index ?? 0
    const { configuration = { voters } } = start
    const entries = log.map((each, position) =>
      typeof each === 'number' ? entry(base + position + 1, each) : each,
    )
    const snapshot: SnapshotMeta | undefined = start.snapshot && {
      ...start.snapshot,
      configuration,
    }
    const restored = {
      hardState: { term, vote },
      entries,
      initialConfiguration: configuration,
      ...(snapshot && { snapshot }),
      ...(start.votingFloor && { votingFloor: start.votingFloor }),
    }
    this.raft = new Raft({ id, ...start.options }, restored, new SeededRandom(seed), 0)
    this.#isDiskInstant = isDiskInstant
  }

  get voters(): readonly NodeId[] {
    return votersOf(this.raft.configuration)
  }

  get status() {
    return this.raft.status()
  }

  step(event: RaftEvent): RaftEffect[] {
    const effects = this.raft.step(event, this.nowMs)
    this.effects.push(...effects)
    for (const effect of effects) if (effect.type === 'persist') this.sequence = effect.sequence
    for (const { round } of sent(effects, 'appendEntries')) this.round = round
    const writes = effects.some(({ type }) => type === 'persist')
    return this.#isDiskInstant && writes ? [...effects, ...this.persist()] : effects
  }

  persist(sequence = this.sequence): RaftEffect[] {
    return this.step({ type: 'persisted', sequence })
  }

  /** Receives a message from `from` in `term`. */
  receive<T extends Type>(
    type: T,
    from: NodeId,
    term: number,
    body: Omit<OfType<T>, 'type' | 'from' | 'to' | 'term'>,
  ): RaftEffect[] {
    return this.step({
      type: 'receive',
      message: { type, from, to: this.status.id, term, ...body } as unknown as Message,
    })
  }

  tickAt(nowMs: number): RaftEffect[] {
    this.nowMs = nowMs
    return this.step({ type: 'tick' })
  }

  propose(...texts: string[]): RaftEffect[] {
    return this.step({ type: 'propose', id: 1, data: texts.map(bytesFromText) })
  }

  /** Lets the election timeout pass; pre-votes come in, so that it is a candidate. */
  becomeCandidate(): this {
    this.tickAt(this.status.nextDeadlineMs)
    const term = this.status.term + 1
    for (const from of this.#others()) {
      if (this.status.role === 'pre-candidate')
        this.receive('requestVoteReply', from, term, { preVote: true, granted: true })
    }
    return this
  }

  becomeLeader(): this {
    return this.becomeCandidate().winVotes()
  }

  winVotes(): this {
    for (const from of this.#others()) {
      const { role, term } = this.status
      if (role === 'candidate')
        this.receive('requestVoteReply', from, term, { preVote: false, granted: true })
    }
    return this
  }

  /** A follower says that it has the log up to `matchIndex`. */
  acknowledge(from: NodeId, matchIndex: number, round = this.round): RaftEffect[] {
    const body = { success: true, matchIndex, rejectedIndex: 0, conflictTerm: 0, conflictIndex: 0, round }
    return this.receive('appendEntriesReply', from, this.status.term, body)
  }

  refuse(from: NodeId, rejectedIndex: number, conflictTerm: number, conflictIndex: number): RaftEffect[] {
    const body = { success: false, matchIndex: 0, rejectedIndex, conflictTerm, conflictIndex, round: 0 }
    return this.receive('appendEntriesReply', from, this.status.term, body)
  }

  /** Entries of a leader after `prev` (index, term), one for each of `terms`. */
  append(
    from: NodeId,
    term: number,
    prev: readonly [number, number],
    terms: readonly (number | Entry)[] = [],
    leaderCommit = 0,
  ): RaftEffect[] {
    const [prevLogIndex, prevLogTerm] = prev
    const entries = terms.map((each, position) =>
      typeof each === 'number' ? entry(prevLogIndex + position + 1, each) : each,
    )
    return this.receive('appendEntries', from, term, {
      prevLogIndex,
      prevLogTerm,
      entries,
      leaderCommit,
      round: 1,
    })
  }

  vote(
    from: NodeId,
    term: number,
    last: readonly [number, number],
    flags: { preVote?: boolean; transfer?: boolean } = {},
  ): RaftEffect[] {
    const [lastLogIndex, lastLogTerm] = last
    return this.receive('requestVote', from, term, {
      preVote: false,
      transfer: false,
      ...flags,
      lastLogIndex,
      lastLogTerm,
    })
  }

  change(target: Configuration, id = 1): RaftEffect[] {
    return this.step({ type: 'changeConfiguration', id, target })
  }

  clear(): void {
    this.effects = []
  }

  /** The terms of the log, from its first index on. */
  terms(): number[] {
    const { firstIndex, lastIndex } = this.status
    return Array.from({ length: lastIndex - firstIndex + 1 }, (_, at) => this.raft.term(firstIndex + at) ?? 0)
  }

  #others(): NodeId[] {
    return this.voters.filter((voter) => voter !== this.status.id)
  }
}

export function entry(index: number, term: number, text = ''): Entry {
  return { index, term, kind: 'command', data: bytesFromText(text) }
}

export function configurationEntry(index: number, term: number, configuration: Configuration): Entry {
  return { index, term, kind: 'configuration', data: encodeConfiguration(configuration) }
}

export function sent<T extends Type>(effects: readonly RaftEffect[], type: T): OfType<T>[] {
  return effects.flatMap((effect) =>
    effect.type === 'send' && effect.message.type === type ? [effect.message as OfType<T>] : [],
  )
}

export function ofType<T extends RaftEffect['type']>(effects: readonly RaftEffect[], type: T): Effect<T>[] {
  return effects.filter((effect): effect is Effect<T> => effect.type === type)
}
