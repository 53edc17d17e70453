import { expect } from 'vitest'
import { bytesFromText, textFromBytes } from '../base/bytes.ts'
import { createDeferred, type Deferred } from '../base/deferred.ts'
import type { World } from '../contracts/world.ts'
import type { Entry, Message } from '../protocols/raft/types.ts'
import { Simulation } from '../testing/world/simulation.ts'
import type { GroupTransport } from './group-transport.ts'
import type { ProposalResult } from './proposals.ts'
import { RaftGroup, type RaftGroupOptions } from './raft-group.ts'
import { MemoryStorage } from './memory-storage.ts'
import type { RaftStorage } from './storage.ts'

/** A storage whose writes end when the test says so. */
export class GatedStorage implements RaftStorage {
  readonly #inner: RaftStorage = new MemoryStorage()
  readonly writes: { readonly entries: readonly Entry[]; readonly done: Deferred<void> }[] = []

  async append({ entries }: Parameters<RaftStorage['append']>[0]): Promise<void> {
    const done = createDeferred<void>()
    this.writes.push({ entries, done })
    await done.promise
  }

  /** Lets all writes that are under way, and those that follow from them, end. */
  async drain(): Promise<void> {
    for (let at = 0; at < this.writes.length; at++) {
      this.writes[at]?.done.resolve()
      await settle()
    }
  }

  compact = (index: number) => {
    this.compacted.push(index)
    return this.#inner.compact(index)
  }
  saveSnapshot: RaftStorage['saveSnapshot'] = (meta, chunks) => this.#inner.saveSnapshot(meta, chunks)
  resetTo: RaftStorage['resetTo'] = (meta, hardState) => this.#inner.resetTo(meta, hardState)
  openSnapshot = () => this.#inner.openSnapshot()
  receiveSnapshot: RaftStorage['receiveSnapshot'] = (meta, id) => this.#inner.receiveSnapshot(meta, id)
  /** What is called when this group alone keeps old segments alive. */
  pinned: () => void = () => {}
  readonly compacted: number[] = []

  onPinned(handler: () => void): void {
    this.pinned = handler
  }

  close = () => this.#inner.close()
}

export async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve()
}

/** Keeps the texts it applied. */
export class TextModel {
  readonly applied: string[] = []
  apply(entry: Entry): string {
    const text = textFromBytes(entry.data)
    if (text === 'poison') throw new Error('cannot apply')
    this.applied.push(text)
    return text.toUpperCase()
  }
  snapshot(): Iterable<Uint8Array> {
    return [bytesFromText(this.applied.join(','))]
  }
  restore(): void {}
}

export interface Bench {
  readonly world: World
  readonly storage: GatedStorage
  readonly model: TextModel
  readonly group: RaftGroup
  readonly sleep: (ms: number) => Promise<void>
  readonly turn: () => Promise<void>
  propose(text: string): ProposalResult[]
}

/** One lone voter in a simulated process, not started yet. */
export async function withGroup(
  body: (bench: Bench) => Promise<void>,
  options: Partial<RaftGroupOptions> = {},
): Promise<void> {
  const simulation = new Simulation({ seed: 1 })
  let isDone = false
  simulation.process('node', async (world) => {
    const storage = new GatedStorage()
    const model = new TextModel()
    const group = new RaftGroup({
      world,
      raft: { id: 1 },
      configuration: { voters: [1] },
      storage,
      restored: { hardState: { term: 0, vote: 0 }, entries: [] },
      model,
      ...options,
    })
    const propose = (text: string): ProposalResult[] => {
      const results: ProposalResult[] = []
      group.propose(bytesFromText(text), undefined, (result) => results.push(result))
      return results
    }
    const sleep = (ms: number) => new Promise<void>((resolve) => world.timers.after(ms, resolve))
    const turn = () => new Promise<void>((resolve) => world.timers.immediate(resolve))
    await body({ world, storage, model, group, sleep, turn, propose })
    group.close()
    isDone = true
  })
  await simulation.runUntil(() => isDone, { limitMs: 60_000 })
}

export async function lead({ group, storage }: Bench): Promise<void> {
  group.start()
  await storage.drain()
  expect(group.isLeaderReady).toBe(true)
}

/** A member whose peers are played by the test. */
export async function withMember(
  body: (bench: Bench, peer: { receive(message: Message): void; readonly sent: Message[] }) => Promise<void>,
  options: Partial<RaftGroupOptions> = {},
): Promise<void> {
  const sent: Message[] = []
  let receive: (message: Message) => void = () => {}
  const transport = {
    start: (handler: { receive(message: Message): void }) => {
      receive = (message) => handler.receive(message)
    },
    send: (message: Message) => sent.push(message),
    close: () => {},
  } as unknown as GroupTransport
  const configuration = { voters: [1, 2, 3] }
  await withGroup((bench) => body(bench, { receive: (message) => receive(message), sent }), {
    transport,
    configuration,
    ...options,
  })
}

export async function winElection(
  { group, sleep, storage }: Bench,
  receive: (message: Message) => void,
): Promise<void> {
  group.start()
  await sleep(2_100)
  receive({ type: 'requestVoteReply', from: 2, to: 1, term: 1, preVote: true, granted: true })
  await storage.drain()
  receive({ type: 'requestVoteReply', from: 2, to: 1, term: 1, preVote: false, granted: true })
  expect(group.role).toBe('leader')
}
