import { assert } from '../../base/assert.ts'
import { bytesFromText, textFromBytes } from '../../base/bytes.ts'
import { AlthingError } from '../../contracts/errors.ts'
import type { Random } from '../../contracts/world.ts'
import { Raft } from '../raft/raft.ts'
import type { Entry, HardState, Message, RaftEffect, RaftEvent, SnapshotMeta } from '../raft/types.ts'
import type { ElectionEffect, ElectionEvent, ElectionMachine, ElectionState, NodeId } from './types.ts'

export interface RaftElectionOptions {
  readonly id: NodeId
  readonly members: readonly NodeId[]
  readonly heartbeatMs: number
  readonly electionTimeoutMs: number
  readonly eligible: boolean
  /** What this machine last had made durable, if it has a past. */
  readonly state?: Uint8Array
}

/** A vote, and the log: which holds an empty entry for each reign, and nothing else. */
interface Durable {
  hardState: HardState
  snapshot?: { readonly index: number; readonly term: number }
  entries: readonly { readonly index: number; readonly term: number }[]
}

const entriesKeptMax = 64
const entriesKept = 16

/**
 * Raft as an election and nothing more: a group of no commands, whose log holds the empty entry of each leader and is cut short. The machine is
 * `Raft` itself; here is what a shell would do about its log.
 */
export class RaftElection implements ElectionMachine<Message> {
  readonly #raft: Raft
  readonly #options: RaftElectionOptions
  readonly #durable: Durable
  /** What to step once the write of that sequence is durable. */
  readonly #awaited = new Map<number, RaftEvent>()
  #sequence = 0
  #effects: ElectionEffect<Message>[] = []
  #state: ElectionState = { role: 'follower', term: 0, leader: 0 }

  /** Throws `corrupt` when the saved state is not one of its own. */
  constructor(options: RaftElectionOptions, random: Random, nowMs: number) {
    const { id, members, heartbeatMs, electionTimeoutMs, eligible, state } = options
    this.#options = options
    this.#durable =
      state === undefined ? { hardState: { term: 0, vote: 0 }, entries: [] } : decodeDurable(state)
    const configuration = { voters: members }
    const { hardState, snapshot, entries } = this.#durable
    const restored = {
      hardState,
      entries: entries.map(emptyEntry),
      initialConfiguration: configuration,
      ...(snapshot === undefined ? {} : { snapshot: { ...snapshot, configuration } }),
    }
    this.#raft = new Raft({ id, heartbeatMs, electionTimeoutMs }, restored, random, nowMs)
    if (!eligible) this.#step({ type: 'setEligible', eligible }, nowMs)
  }

  get state(): ElectionState {
    return this.#state
  }

  get nextDeadlineMs(): number {
    return this.#raft.nextDeadlineMs
  }

  step(event: ElectionEvent<Message>, nowMs: number): ElectionEffect<Message>[] {
    if (event.type === 'persisted') {
      const awaited = this.#awaited.get(event.sequence)
      this.#awaited.delete(event.sequence)
      if (awaited !== undefined) this.#step(awaited, nowMs)
    } else if (event.type !== 'suspect') this.#step(event, nowMs)
    else if (this.#state.leader !== 0 && this.#state.leader !== this.#options.id)
      this.#step({ type: 'peerUnreachable', peer: this.#state.leader, isGone: true }, nowMs)
    const effects = this.#effects
    this.#effects = []
    return effects
  }

  #step(event: RaftEvent, nowMs: number): void {
    for (const effect of this.#raft.step(event, nowMs)) this.#perform(effect, nowMs)
  }

  #perform(effect: RaftEffect, nowMs: number): void {
    switch (effect.type) {
      case 'persist':
        this.#note(effect)
        return this.#persist({ type: 'persisted', sequence: effect.sequence })
      case 'send':
        this.#effects.push({ type: 'send', message: effect.message })
        return
      case 'apply': {
        const last = effect.entries.at(-1)
        assert(last !== undefined, 'entries are applied')
        this.#step({ type: 'applied', index: last.index }, nowMs)
        return this.#cutLog(last.index)
      }
      case 'stateChanged': {
        const { term, leader } = effect
        const role = effect.role === 'pre-candidate' ? 'candidate' : effect.role
        this.#state = { role, term, leader }
        this.#effects.push({ type: 'stateChanged', role, term, leader })
        return
      }
      case 'sendSnapshot':
        return this.#sendSnapshot(effect.to)
      case 'acceptSnapshot': {
        // The state that it stands for is empty: nothing has to be fetched.
        const { from, transferId, snapshot } = effect.message
        return this.#step({ type: 'snapshotInstalled', from, transferId, snapshot }, nowMs)
      }
      case 'snapshotProgress': {
        const { from, index, installed } = effect.message
        if (installed) this.#step({ type: 'snapshotSent', to: from, index, ok: true }, nowMs)
        return
      }
      default:
        // The others answer to what is never asked here: proposals, reads, changes of members; or tell of what is no concern of an election.
        return
    }
  }

  #note({ hardState, entries, snapshot }: Extract<RaftEffect, { type: 'persist' }>): void {
    if (hardState !== undefined) this.#durable.hardState = hardState
    if (snapshot !== undefined) {
      this.#durable.snapshot = { index: snapshot.index, term: snapshot.term }
      this.#durable.entries = []
    }
    const [first] = entries
    if (first === undefined) return
    const kept = this.#durable.entries.filter(({ index }) => index < first.index)
    this.#durable.entries = [...kept, ...entries.map(({ index, term }) => ({ index, term }))]
  }

  #persist(then: RaftEvent): void {
    this.#sequence += 1
    this.#awaited.set(this.#sequence, then)
    const state = bytesFromText(JSON.stringify(this.#durable))
    this.#effects.push({ type: 'persist', sequence: this.#sequence, state })
  }

  #cutLog(index: number): void {
    if (this.#durable.entries.length <= entriesKeptMax) return
    const term = this.#raft.term(index)
    if (term === undefined) return
    this.#durable.snapshot = { index, term }
    this.#durable.entries = this.#durable.entries.filter((entry) => entry.index > index - entriesKept)
    const snapshot = { index, term, configuration: this.#raft.configurationAt(index) }
    this.#persist({ type: 'compacted', snapshot, keepEntries: entriesKept })
  }

  #sendSnapshot(to: NodeId): void {
    const { snapshot } = this.#durable
    if (snapshot === undefined) return
    const meta: SnapshotMeta = { ...snapshot, configuration: this.#raft.configurationAt(snapshot.index) }
    const message = this.#raft.snapshotMessage(to, this.#sequence, meta, 0, new Uint8Array(), true)
    if (message !== undefined) this.#effects.push({ type: 'send', message })
  }
}

function emptyEntry({ index, term }: { readonly index: number; readonly term: number }): Entry {
  return { index, term, kind: 'empty', data: new Uint8Array() }
}

function decodeDurable(state: Uint8Array): Durable {
  try {
    const durable = JSON.parse(textFromBytes(state)) as Durable
    const { term, vote } = durable.hardState
    if (!Number.isSafeInteger(term) || !Number.isSafeInteger(vote) || !Array.isArray(durable.entries))
      throw new TypeError('fields are missing')
    return durable
  } catch (cause) {
    throw new AlthingError('corrupt', 'the saved state of an election is not that of raft', { cause })
  }
}
