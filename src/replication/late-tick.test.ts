import { describe, expect, test } from 'vitest'
import type { World } from '../contracts/world.ts'
import type { Message } from '../protocols/raft/types.ts'
import { Simulation } from '../testing/world/simulation.ts'
import type { GroupTransportHandler } from './group-transport.ts'
import { RaftGroup } from './raft-group.ts'
import { MemoryStorage } from './memory-storage.ts'

/** A follower whose clock, timers and messages are the test's. */
class Follower {
  readonly sent: Message[] = []
  readonly group: RaftGroup
  nowMs = 0
  #handler: GroupTransportHandler | undefined
  #timer: (() => void) | undefined
  #immediates: (() => void)[] = []

  constructor(base: World) {
    const world: World = Object.create(base, {
      clock: { value: { monotonicMs: () => this.nowMs, wallMs: () => this.nowMs } },
      timers: {
        value: {
          after: (_: number, callback: () => void) => {
            this.#timer = callback
            return { cancel: () => undefined }
          },
          immediate: (callback: () => void) => this.#immediates.push(callback),
        },
      },
    })
    const storage = new MemoryStorage()
    const restored = { hardState: { term: 0, vote: 0 }, entries: [] }
    this.group = new RaftGroup({
      world,
      raft: { id: 1, electionTimeoutMs: 1_000, heartbeatMs: 100 },
      configuration: { voters: [1, 2, 3] },
      storage,
      restored,
      model: { apply: () => undefined, snapshot: () => [], restore: () => undefined },
      transport: {
        start: (handler) => {
          this.#handler = handler
        },
        send: (message) => this.sent.push(message),
        isConnected: () => true,
        close: () => undefined,
      },
    })
    this.group.start()
  }

  get campaigns(): number {
    return this.sent.filter(({ type }) => type === 'requestVote').length
  }

  /** What the timer was set for happens now. */
  fire(): void {
    this.#timer?.()
  }

  /** The loop comes to the end of its turn. */
  endTurn(): void {
    const due = this.#immediates
    this.#immediates = []
    for (const callback of due) callback()
  }

  heartbeat(): void {
    const body = { prevLogIndex: 0, prevLogTerm: 0, leaderCommit: 0, round: 1, entries: [] }
    this.#handler?.receive({ type: 'appendEntries', from: 2, to: 1, term: 1, ...body })
  }
}

/** Lets the disk, which is memory, end its writes. */
async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve()
}

async function withFollower(body: (follower: Follower) => Promise<void>): Promise<void> {
  const simulation = new Simulation({ seed: 1 })
  let isDone = false
  simulation.process('node', async (world) => {
    const follower = new Follower(world)
    await body(follower)
    follower.group.close()
    isDone = true
  })
  await simulation.runUntil(() => isDone, { limitMs: 1_000 })
}

describe('a follower whose loop stood still beyond its election timeout', () => {
  test('reads the heartbeats that wait before it doubts its leader', async () => {
    await withFollower(async (follower) => {
      follower.heartbeat()
      await settle()
      follower.nowMs = 8_000
      follower.fire()
      expect(follower.campaigns).toBe(0)
      follower.heartbeat()
      follower.endTurn()
      await settle()
      expect(follower.campaigns).toBe(0)
    })
  })

  test('campaigns when none has come', async () => {
    await withFollower(async (follower) => {
      follower.heartbeat()
      await settle()
      follower.nowMs = 8_000
      follower.fire()
      follower.endTurn()
      await settle()
      expect(follower.campaigns).toBe(2)
    })
  })
})
