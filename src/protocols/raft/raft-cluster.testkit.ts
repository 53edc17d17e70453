import { bytesFromText, textFromBytes } from '../../base/bytes.ts'
import type { Random } from '../../contracts/world.ts'
import { decodeConfiguration } from './configuration.ts'
import { isBehind } from './log-position.ts'
import { Raft } from './raft.ts'
import type {
  Configuration,
  Entry,
  HardState,
  LogPosition,
  Message,
  NodeId,
  RaftEffect,
  RaftEvent,
  RaftOptions,
  Role,
  SnapshotMeta,
} from './types.ts'

type Persist = Extract<RaftEffect, { type: 'persist' }>
type Send = Extract<RaftEffect, { type: 'send' }>

/** Deterministic random numbers (a 32-bit mixing generator); the same seed gives the same numbers. */
export class SeededRandom implements Random {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  float(): number {
    this.#state = (this.#state + 0x9e3779b9) >>> 0
    let mixed = this.#state
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x21f0aaad)
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97)
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32
  }

  integer(min: number, max: number): number {
    return min + Math.floor(this.float() * (max - min + 1))
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.integer(0, 255))
  }
}

/** What has reached the disk. A crash leaves this and nothing else. */
export interface TestDisk {
  hardState: HardState
  entries: Entry[]
  snapshot?: SnapshotMeta
  snapshotState?: readonly string[]
  votingFloor?: LogPosition
}

/** A raft with a disk that lags behind until it is synced, and a model that lists the commands. */
export class TestMember {
  readonly id: NodeId
  disk: TestDisk = { hardState: { term: 0, vote: 0 }, entries: [] }
  raft: Raft
  /** The model: one text for each index applied. */
  model: string[] = []
  readonly #options: Partial<RaftOptions> & { readonly id: NodeId }
  #initial: Configuration
  readonly #random: Random
  readonly #send: (message: Message) => void
  readonly #observe: (member: TestMember, effect: RaftEffect) => void
  readonly #stepped: (member: TestMember, event: RaftEvent, effects: readonly RaftEffect[]) => void
  #writes: Persist[] = []
  #held: Send[] = []
  #durableSequence = 0
  #transferId = 0

  constructor(
    options: Partial<RaftOptions> & { readonly id: NodeId },
    initial: Configuration,
    random: Random,
    send: (message: Message) => void,
    observe: (member: TestMember, effect: RaftEffect) => void,
    stepped: (member: TestMember, event: RaftEvent, effects: readonly RaftEffect[]) => void = () => {},
  ) {
    this.id = options.id
    this.#options = options
    this.#initial = initial
    this.#random = random
    this.#send = send
    this.#observe = observe
    this.#stepped = stepped
    this.raft = this.#start(0)
  }

  get role(): Role {
    return this.raft.status().role
  }

  get unwritten(): number {
    return this.#writes.length
  }

  step(event: RaftEvent, nowMs: number): void {
    const applied: number[] = []
    const effects = this.raft.step(event, nowMs)
    this.#stepped(this, event, effects)
    for (const effect of effects) {
      this.#observe(this, effect)
      this.#perform(effect, applied)
    }
    const index = applied.at(-1)
    if (index !== undefined) this.step({ type: 'applied', index }, nowMs)
    if (this.#accepted !== undefined) this.#install(this.#accepted, nowMs)
  }

  #accepted: Extract<Message, { type: 'installSnapshot' }> | undefined

  #perform(effect: RaftEffect, applied: number[]): void {
    switch (effect.type) {
      case 'persist':
        this.#writes.push(effect)
        break
      case 'send':
        if (effect.after <= this.#durableSequence) this.#send(effect.message)
        else this.#held.push(effect)
        break
      case 'apply':
        for (const entry of effect.entries) this.model[entry.index - 1] = describeEntry(entry)
        applied.push(effect.entries.at(-1)?.index ?? 0)
        break
      case 'sendSnapshot':
        this.#sendSnapshot(effect.to)
        break
      case 'acceptSnapshot':
        this.#accepted = effect.message
        break
      default:
        break
    }
  }

  /** The first `count` writes under way reach the disk. */
  sync(nowMs: number, count = this.#writes.length): void {
    const done = this.#writes.splice(0, count)
    const last = done.at(-1)
    if (last === undefined) return
    for (const write of done) this.#write(write)
    this.#durableSequence = last.sequence
    const released = this.#held.filter((send) => send.after <= last.sequence)
    this.#held = this.#held.filter((send) => send.after > last.sequence)
    for (const send of released) this.#send(send.message)
    this.step({ type: 'persisted', sequence: last.sequence }, nowMs)
  }

  /** Loses all that is not on the disk. */
  restart(nowMs: number): void {
    this.#writes = []
    this.#held = []
    this.#durableSequence = 0
    this.#accepted = undefined
    this.model = [...(this.disk.snapshotState ?? [])]
    this.raft = this.#start(nowMs)
  }

  /** Gives up its copy: what is left on the disk is what a later copy starts with. */
  retire(nowMs: number): void {
    const { lastIndex: index, lastTerm: term } = this.raft.status()
    const { votingFloor = { index: 0, term: 0 } } = this.disk
    for (const write of this.#writes) this.#write(write)
    const { hardState } = this.disk
    this.disk = {
      hardState,
      entries: [],
      votingFloor: isBehind(index, term, votingFloor) ? votingFloor : { index, term },
    }
    this.#initial = { voters: [] }
    this.restart(nowMs)
  }

  /** Takes a snapshot of all that is applied. */
  compact(nowMs: number, keepEntries: number): void {
    const { appliedIndex: index } = this.raft.status()
    const configuration = this.raft.configurationAt(index)
    const term = this.raft.term(index)
    if (index === 0 || term === undefined || index <= (this.disk.snapshot?.index ?? 0)) return
    this.disk.snapshot = { index, term, configuration }
    this.disk.snapshotState = this.model.slice(0, index)
    this.step({ type: 'compacted', snapshot: this.disk.snapshot, keepEntries }, nowMs)
  }

  /** Whether a crash now would leave the entry at `index` here, as itself or within a snapshot. */
  hasDurably(index: number, term: number): boolean {
    if (index <= (this.disk.snapshot?.index ?? 0)) return true
    const first = this.disk.entries[0]
    return first !== undefined && this.disk.entries[index - first.index]?.term === term
  }

  #start(nowMs: number): Raft {
    const { hardState, entries, snapshot, votingFloor } = this.disk
    const restored = {
      hardState,
      entries: [...entries],
      initialConfiguration: this.#initial,
      ...(snapshot !== undefined && { snapshot }),
      ...(votingFloor !== undefined && { votingFloor }),
    }
    return new Raft(this.#options, restored, this.#random, nowMs)
  }

  #write(write: Persist): void {
    if (write.hardState !== undefined) this.disk.hardState = write.hardState
    if (write.snapshot !== undefined) this.disk.entries = []
    const first = write.entries[0]
    if (first === undefined) return
    const kept = this.disk.entries.filter((entry) => entry.index < first.index)
    this.disk.entries = [...kept, ...write.entries]
  }

  #sendSnapshot(to: NodeId): void {
    const { snapshot, snapshotState } = this.disk
    if (snapshot === undefined) throw new Error('a leader whose log was cut has a snapshot')
    const data = bytesFromText(JSON.stringify(snapshotState))
    const message = this.raft.snapshotMessage(to, ++this.#transferId, snapshot, 0, data, true)
    if (message !== undefined) this.#send(message)
  }

  #install(chunk: Extract<Message, { type: 'installSnapshot' }>, nowMs: number): void {
    this.#accepted = undefined
    const { snapshot, from, transferId } = chunk
    this.disk.snapshot = snapshot
    this.disk.snapshotState = JSON.parse(textFromBytes(chunk.data)) as string[]
    if (snapshot.index > this.model.length) this.model = [...this.disk.snapshotState]
    this.step({ type: 'snapshotInstalled', from, transferId, snapshot }, nowMs)
  }
}

export function describeEntry({ kind, term, data }: Entry): string {
  if (kind === 'empty') return `${term}:`
  return kind === 'command' ? `${term}:${textFromBytes(data)}` : `${term}:${describeConfiguration(data)}`
}

function describeConfiguration(data: Uint8Array): string {
  const { voters, outgoingVoters, learners } = decodeConfiguration(data)
  const outgoing = outgoingVoters === undefined ? '' : `&${outgoingVoters}`
  return `{${voters}${outgoing}${learners === undefined ? '' : `;${learners}`}}`
}
