import { describe, expect, test } from 'vitest'
import { Raft } from '../protocols/raft/raft.ts'
import type { Message } from '../protocols/raft/types.ts'
import { Simulation } from '../testing/world/simulation.ts'
import type { World } from '../contracts/world.ts'
import { SnapshotInbox } from './snapshot-inbox.ts'
import { SnapshotOutbox } from './snapshot-outbox.ts'
import { MemoryStorage } from './memory-storage.ts'
import type { RaftStorage } from './storage.ts'

type Chunk = Extract<Message, { type: 'installSnapshot' }>

const meta = (index: number) => ({ index, term: 1, configuration: { voters: [1, 2] } })
const content = Uint8Array.from({ length: 3_000_000 }, (_, i) => (i * 31) % 251)

interface Bench {
  readonly world: World
  readonly source: RaftStorage
  readonly target: RaftStorage
  readonly outbox: SnapshotOutbox
  readonly inbox: SnapshotInbox
  readonly installed: { index: number; bytes: number }[]
  readonly finished: boolean[]
  readonly failures: unknown[]
  /** Decides what becomes of a message on its way: how many copies, how late each. */
  fate: (message: Message) => readonly number[]
  readonly sleep: (ms: number) => Promise<void>
}

/** A sender and a receiver, with the network between them in the hands of the test. */
async function withTransfer(body: (bench: Bench) => Promise<void>): Promise<void> {
  const simulation = new Simulation({ seed: 5 })
  let isDone = false
  simulation.process('both', async (world) => {
    const [source, target] = [new MemoryStorage(), new MemoryStorage()]
    await source.saveSnapshot(meta(10), [content])
    const raftOf = (id: number) =>
      new Raft(
        { id },
        { hardState: { term: 1, vote: 0 }, entries: [], initialConfiguration: { voters: [1, 2] } },
        world.random,
        world.clock.monotonicMs(),
      )
    const follower = raftOf(2)
    // Only the form of the chunks is wanted of the leader's machine here.
    const leader = {
      snapshotMessage: (
        to: number,
        transferId: number,
        snapshot: Chunk['snapshot'],
        offset: number,
        data: Uint8Array,
        done: boolean,
      ): Chunk => ({
        type: 'installSnapshot',
        from: 1,
        to,
        term: 1,
        snapshot,
        transferId,
        offset,
        data,
        done,
        round: 0,
      }),
    } as unknown as Raft
    const installed: Bench['installed'] = []
    const failures: unknown[] = []
    const finished: boolean[] = []
    const carry = (message: Message, deliver: () => void): void => {
      for (const delayMs of bench.fate(message)) world.timers.after(delayMs, deliver)
    }
    const inbox = new SnapshotInbox({
      storage: target,
      raft: follower,
      logger: world.logger,
      send: (message) =>
        carry(message, () => message.type === 'installSnapshotReply' && outbox.progress(message)),
      install: async (_from, transferId, snapshot, chunks) => {
        installed.push({
          index: snapshot.index,
          bytes: Buffer.concat(chunks).equals(content) ? content.length : -1,
        })
        const reply = { ...follower.snapshotReply(1, transferId, snapshot.index, 0), installed: true }
        carry(reply, () => outbox.progress(reply))
      },
      fail: (cause) => failures.push(cause),
    })
    const outbox = new SnapshotOutbox({
      storage: source,
      raft: leader,
      world,
      send: (message) =>
        carry(
          message,
          () => installed.length === 0 && message.type === 'installSnapshot' && inbox.accept(message),
        ),
      finished: (_to, _index, ok) => finished.push(ok),
      fail: (cause) => failures.push(cause),
    })
    const sleep = (ms: number) => new Promise<void>((resolve) => world.timers.after(ms, resolve))
    const bench: Bench = {
      world,
      source,
      target,
      outbox,
      inbox,
      installed,
      finished,
      failures,
      fate: () => [1],
      sleep,
    }
    await body(bench)
    outbox.close()
    inbox.close()
    expect(bench.failures).toEqual([])
    isDone = true
  })
  await simulation.runUntil(() => isDone, { limitMs: 600_000 })
}

const whole = [{ index: 10, bytes: content.length }]

describe('a snapshot transfer', () => {
  test('over a network that loses, doubles and reorders brings the snapshot whole', async () => {
    await withTransfer(async (bench) => {
      const { random } = bench.world
      bench.fate = () => {
        const draw = random.float()
        if (draw < 0.2) return []
        return draw < 0.4 ? [random.integer(1, 300), random.integer(1, 300)] : [random.integer(1, 50)]
      }
      for (let attempt = 0; attempt < 5 && bench.installed.length === 0; attempt++) {
        bench.outbox.start(2)
        await bench.sleep(20_000)
      }
      expect(bench.installed).toEqual(whole)
    })
  })

  test('that nobody answers is given up, and reported once', async () => {
    await withTransfer(async (bench) => {
      bench.fate = () => []
      bench.outbox.start(2)
      bench.outbox.start(2)
      await bench.sleep(30_000)
      expect(bench.finished).toEqual([false])
    })
  })

  test('that is cancelled sends nothing more and reports nothing', async () => {
    await withTransfer(async (bench) => {
      let sent = 0
      bench.fate = () => {
        sent++
        return [1]
      }
      bench.outbox.start(2)
      await bench.sleep(2)
      bench.outbox.cancel(2)
      await bench.sleep(5)
      const count = sent
      await bench.sleep(10_000)
      expect([sent, bench.finished, bench.installed]).toEqual([count, [], []])
    })
  })

  test('whose bytes were damaged on the way begins again, and succeeds', async () => {
    await withTransfer(async (bench) => {
      let isDamaged = false
      bench.fate = (message) => {
        if (!isDamaged && message.type === 'installSnapshot' && message.offset > 0) {
          isDamaged = true
          const data = message.data as Uint8Array
          data[100] = (data[100] as number) ^ 1
        }
        return [1]
      }
      bench.outbox.start(2)
      await bench.sleep(15_000)
      expect(isDamaged).toBe(true)
      expect(bench.installed).toEqual(whole)
    })
  })

  test('of a new leader takes the place of one that was begun; the chunks are never mixed', async () => {
    await withTransfer(async (bench) => {
      const chunk: Chunk = {
        type: 'installSnapshot',
        from: 3,
        to: 2,
        term: 1,
        snapshot: meta(9),
        transferId: 77,
        offset: 0,
        data: content.subarray(0, 1000),
        done: false,
        round: 0,
      }
      bench.inbox.accept(chunk)
      await bench.sleep(1)
      bench.outbox.start(2)
      await bench.sleep(5_000)
      expect(bench.installed).toEqual(whole)
    })
  })

  test('that is whole is installed, though an impatient sender begins another meanwhile', async () => {
    await withTransfer(async (bench) => {
      const reader = await bench.source.openSnapshot()
      const data = (await reader?.read(0, reader.size)) ?? new Uint8Array(0)
      await reader?.close()
      const chunk = (transferId: number, from: Uint8Array, done: boolean): Chunk => ({
        type: 'installSnapshot',
        from: 1,
        to: 2,
        term: 1,
        snapshot: meta(10),
        transferId,
        offset: 0,
        data: from,
        done,
        round: 0,
      })
      const receive = bench.target.receiveSnapshot.bind(bench.target)
      bench.target.receiveSnapshot = (snapshot, transferId) => {
        const receiver = receive(snapshot, transferId)
        const finish = (): Promise<void> => {
          const finished = receiver.finish()
          bench.inbox.accept(chunk(2, data.subarray(0, 10), false))
          return finished
        }
        return { finish, write: (at, bytes) => receiver.write(at, bytes), abort: () => receiver.abort() }
      }
      bench.inbox.accept(chunk(1, data, true))
      await bench.sleep(100)
      expect(bench.installed.length).toBe(1)
    })
  })

  test('that a newer snapshot of its own overtook ends, and the next one finds the inbox free', async () => {
    await withTransfer(async (bench) => {
      await bench.target.saveSnapshot(meta(20), [new Uint8Array(10)])
      bench.outbox.start(2)
      await bench.sleep(3_000)
      expect(bench.installed).toEqual([])
      await bench.sleep(12_000)
      expect(bench.failures).toEqual([])
    })
  })
})
