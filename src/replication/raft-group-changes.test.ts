import { describe, expect, test } from 'vitest'
import { bytesFromText } from '../base/bytes.ts'
import type { AlthingError } from '../contracts/errors.ts'
import type { Configuration, Entry, Message, SnapshotMeta } from '../protocols/raft/types.ts'
import { type Bench, lead, settle, winElection, withGroup, withMember } from './raft-group.test-support.ts'
import { MemoryStorage } from './memory-storage.ts'

type Answer =
  | { readonly code: string; readonly outcome: string | undefined; readonly reason: unknown }
  | 'done'

function answerOf(error: AlthingError | undefined): Answer {
  if (error === undefined) return 'done'
  return { code: error.code, outcome: error.outcome, reason: error.details?.['reason'] }
}

function change({ group }: Bench, target: Configuration): Answer[] {
  const answers: Answer[] = []
  group.changeConfiguration(target, (error) => answers.push(answerOf(error)))
  return answers
}

describe('a change of the members', () => {
  test('is done when it is committed and applied; the observer hears of it when it is in use, and when it is committed', async () => {
    const heard: [string, Configuration, number][] = []
    const observer = {
      configurationChanged: (configuration: Configuration, index: number) =>
        void heard.push(['in use', configuration, index]),
      configurationCommitted: (configuration: Configuration, index: number) =>
        void heard.push(['committed', configuration, index]),
    }
    await withGroup(
      async (bench) => {
        await lead(bench)
        const target = { voters: [1], learners: [2] }
        const answers = change(bench, target)
        expect(bench.group.configuration).toEqual(target)
        expect(heard).toEqual([['in use', target, 2]])
        expect(answers).toEqual([])
        await bench.storage.drain()
        expect(answers).toEqual(['done'])
        expect(heard.at(-1)).toEqual(['committed', target, 2])
      },
      { observer },
    )
  })

  test('through a joint configuration is done only when that is left', async () => {
    await withGroup(async (bench) => {
      await lead(bench)
      const answers = change(bench, { voters: [1, 2, 3] })
      await bench.storage.drain()
      expect(bench.group.configuration).toEqual({ voters: [1, 2, 3], outgoingVoters: [1] })
      expect(answers).toEqual([])
    })
  })

  test('that cannot be is refused, with what is wrong, and nothing is changed', async () => {
    await withGroup(async (bench) => {
      expect(change(bench, { voters: [1] })).toEqual([
        { code: 'unavailable', outcome: 'none', reason: 'not-leader' },
      ])
      await lead(bench)
      expect(change(bench, { voters: [] })).toMatchObject([{ code: 'invalid-argument', outcome: 'none' }])
      expect(change(bench, { voters: [1, 2], outgoingVoters: [1] })).toMatchObject([
        { code: 'invalid-argument' },
      ])
      const first = change(bench, { voters: [1], learners: [2] })
      expect(change(bench, { voters: [1] })).toEqual([
        { code: 'unavailable', outcome: 'none', reason: 'in-progress' },
      ])
      await bench.storage.drain()
      expect(first).toEqual(['done'])
      expect(bench.group.configuration).toEqual({ voters: [1], learners: [2] })
    })
  })

  test('may yet come about when leadership is lost, or the node closes, before it is committed', async () => {
    await withMember(async (bench, { receive }) => {
      await winElection(bench, receive)
      await bench.storage.drain()
      receive(accepted(2, 1, 1))
      const answers = change(bench, { voters: [1, 2] })
      receive({ type: 'requestVoteReply', from: 3, to: 1, term: 9, preVote: false, granted: false })
      expect(answers).toMatchObject([{ code: 'unavailable', outcome: 'unknown' }])
    })
    await withGroup(async (bench) => {
      await lead(bench)
      const answers = change(bench, { voters: [1, 2] })
      bench.group.close()
      expect(answers).toMatchObject([{ code: 'closed', outcome: 'unknown' }])
      expect(change(bench, { voters: [1] })).toMatchObject([{ code: 'closed', outcome: 'none' }])
    })
  })
})

describe('snapshots', () => {
  test('are taken when asked for, carry the members of their index, and cut the log', async () => {
    await withGroup(async (bench) => {
      await lead(bench)
      await expect(bench.group.takeSnapshot()).resolves.toMatchObject({ index: 1 })
      expect(bench.storage.compacted).toEqual([])
      bench.propose('a')
      await bench.turn()
      await bench.storage.drain()
      change(bench, { voters: [1, 2] })
      await bench.storage.drain()
      // The newest configuration is not committed: it takes the other's word too.
      await expect(bench.group.takeSnapshot(0)).resolves.toEqual({
        index: 2,
        term: 1,
        configuration: { voters: [1] },
      })
      expect(bench.storage.compacted).toEqual([2])
      const reader = await bench.storage.openSnapshot()
      expect(reader?.meta).toMatchObject({ index: 2, configuration: { voters: [1] } })
      await reader?.close()
    })
  })

  test('are taken when this group alone keeps old segments of the log of the node', async () => {
    await withGroup(async (bench) => {
      await lead(bench)
      bench.propose('a')
      await bench.turn()
      await bench.storage.drain()
      bench.storage.pinned()
      bench.storage.pinned()
      await bench.sleep(1)
      expect(bench.storage.compacted).toEqual([2])
    })
  })

  test('are refused before anything was applied', async () => {
    await withGroup(async (bench) => {
      await expect(bench.group.takeSnapshot()).rejects.toMatchObject({ code: 'unavailable' })
    })
  })
})

/** Takes a snapshot in steps; what it stands at is its last chunk, and then what was applied. */
class SteppedModel {
  state: string[] = []
  steps = 0

  apply(entry: Entry): void {
    this.state.push(Buffer.from(entry.data).toString())
  }

  snapshot(): Iterable<Uint8Array> {
    return []
  }

  *restore(chunks: Iterable<Uint8Array>): Generator<void> {
    for (let step = 0; step < 100; step++) {
      this.steps++
      yield
    }
    this.state = [...chunks].map((chunk) => Buffer.from(chunk).toString())
  }
}

describe('a snapshot from the leader', () => {
  test('is restored in steps between which the loop goes on; what is committed meanwhile is applied after it', async () => {
    const model = new SteppedModel()
    const restored: number[] = []
    await withMember(
      async (bench, { receive, sent }) => {
        bench.group.start()
        const snapshot = { index: 3, term: 1, configuration: { voters: [1, 2, 3] } }
        receive(await chunkOf(snapshot, 'state'))
        await waitFor(bench, () => model.steps > 0)
        // Another leader brings the entries themselves, and one more.
        receive(entriesFrom(3, 2, ['a', 'b', 'c', 'd']))
        await bench.storage.drain()
        expect(bench.group.status().commitIndex).toBe(4)
        expect([model.state, bench.group.appliedIndex]).toEqual([[], 0])
        let turns = 0
        await waitFor(bench, () => ++turns > 0 && restored.length > 0)
        expect(turns).toBeGreaterThan(5)
        await bench.turn()
        expect([model.state, bench.group.appliedIndex]).toEqual([['state', 'd'], 4])
        expect(sent.some((message) => message.type === 'appendEntriesReply')).toBe(true)
      },
      { model, observer: { restored: ({ index }) => restored.push(index) } },
    )
  })
})

describe('a slow disk', () => {
  test('makes a leader hand over; the node may lead again when its writes have been fast for long enough', async () => {
    await withMember(async (bench, { receive, sent }) => {
      await winElection(bench, receive)
      await bench.storage.drain()
      receive(accepted(2, 1, 1))
      bench.propose('a')
      for (let turn = 0; turn < 15; turn++) {
        await bench.sleep(100)
        if (bench.group.role === 'leader') receive(accepted(2, 1, turn === 0 ? 1 : 2))
      }
      expect(sent.filter(({ type }) => type === 'timeoutNow')).toMatchObject([{ to: 2 }])
      expect(bench.group.status().isEligible).toBe(false)
      await bench.storage.drain()
      await follow(bench, receive, 95)
      expect(bench.group.status().isEligible).toBe(false)
      await follow(bench, receive, 20)
      expect(bench.group.status().isEligible).toBe(true)
    })
  })

  test('is better than none: without a leader for a while the node may lead all the same', async () => {
    await withMember(async (bench, { receive }) => {
      await winElection(bench, receive)
      await bench.storage.drain()
      receive(accepted(2, 1, 1))
      bench.propose('a')
      await bench.sleep(1_400)
      expect(bench.group.status()).toMatchObject({ isEligible: false, role: 'follower' })
      await bench.sleep(4_000)
      expect(bench.group.status().isEligible).toBe(true)
      await bench.sleep(2_000)
      expect(bench.group.role).toBe('pre-candidate')
    })
  })
})

test('a node that may not lead is told so, and says so', async () => {
  await withMember(async (bench, { receive }) => {
    await winElection(bench, receive)
    bench.group.setEligible(false)
    expect(bench.group.status().isEligible).toBe(false)
    bench.group.setEligible(true)
    expect(bench.group.status().isEligible).toBe(true)
  })
})

test('a member that has lost what it had acknowledged is reported', async () => {
  const lost: [number, number][] = []
  await withMember(
    async (bench, { receive }) => {
      await winElection(bench, receive)
      await bench.storage.drain()
      receive(accepted(2, 1, 1))
      await bench.sleep(250)
      receive({
        type: 'appendEntriesReply',
        from: 2,
        to: 1,
        term: 1,
        success: false,
        matchIndex: 0,
        rejectedIndex: 1,
        conflictTerm: 0,
        conflictIndex: 1,
        round: 3,
      })
      expect(lost).toEqual([[2, 1]])
    },
    { observer: { lostData: (peer, index) => lost.push([peer, index]) } },
  )
})

function accepted(from: number, term: number, matchIndex: number): Message {
  const rest = { success: true, rejectedIndex: 0, conflictTerm: 0, conflictIndex: 0, round: 0 }
  return { type: 'appendEntriesReply', from, to: 1, term, matchIndex, ...rest }
}

function entriesFrom(leader: number, term: number, texts: readonly string[]): Message {
  const entries = texts.map((text, at) => ({
    index: at + 1,
    term: 1,
    kind: 'command' as const,
    data: bytesFromText(text),
  }))
  const head = { from: leader, to: 1, term, prevLogIndex: 0, prevLogTerm: 0, round: 1 }
  return { type: 'appendEntries', ...head, entries, leaderCommit: entries.length }
}

/** The leader of term 2 beats, for this many tenths of a second. */
async function follow(bench: Bench, receive: (message: Message) => void, beats: number): Promise<void> {
  const head = { from: 2, to: 1, term: 2, prevLogIndex: 0, prevLogTerm: 0, entries: [], leaderCommit: 0 }
  for (let round = 0; round < beats; round++) {
    receive({ type: 'appendEntries', ...head, round })
    await bench.storage.drain()
    await bench.sleep(100)
  }
}

async function waitFor(bench: Bench, isSo: () => boolean): Promise<void> {
  for (let turn = 0; turn < 1_000 && !isSo(); turn++) {
    await settle()
    await bench.turn()
  }
  expect(isSo()).toBe(true)
}

async function chunkOf(snapshot: SnapshotMeta, state: string): Promise<Message> {
  const storage = new MemoryStorage()
  await storage.saveSnapshot(snapshot, [bytesFromText(state)])
  const reader = await storage.openSnapshot()
  if (reader === undefined) throw new Error('a saved snapshot can be opened')
  const data = await reader.read(0, reader.size)
  await reader.close()
  const head = { from: 2, to: 1, term: 1, snapshot, transferId: 1, offset: 0, round: 1 }
  return { type: 'installSnapshot', ...head, data, done: true }
}
