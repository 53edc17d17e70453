import { describe, expect, test } from 'vitest'
import { bytesFromText, textFromBytes } from '../base/bytes.ts'
import { lead, settle, winElection, withGroup, withMember } from './raft-group.test-support.ts'

describe('group commit', () => {
  test('all commands of one turn are one write, and are acknowledged only after it', async () => {
    await withGroup(async (bench) => {
      await lead(bench)
      const { storage, turn, propose, model } = bench
      const before = storage.writes.length
      const results = ['a', 'b', 'c'].map(propose)
      await turn()
      expect(storage.writes.length).toBe(before + 1)
      expect(storage.writes.at(-1)?.entries.map((entry) => textFromBytes(entry.data))).toEqual([
        'a',
        'b',
        'c',
      ])
      expect(results.flat()).toEqual([])
      expect(model.applied).toEqual([])
      await storage.drain()
      expect(results.flat().map((result) => result.ok && result.reply)).toEqual(['A', 'B', 'C'])
    })
  })

  test('what gathers during a write is the next write, and no two are under way at once', async () => {
    await withGroup(async (bench) => {
      await lead(bench)
      const { storage, turn, propose } = bench
      const before = storage.writes.length
      for (const text of ['a', 'b', 'c']) {
        propose(text)
        await turn()
      }
      expect(storage.writes.length).toBe(before + 1)
      storage.writes.at(-1)?.done.resolve()
      await settle()
      expect(storage.writes.length).toBe(before + 2)
      expect(storage.writes.at(-1)?.entries.map((entry) => textFromBytes(entry.data))).toEqual(['b', 'c'])
      await storage.drain()
    })
  })
})

describe('a node whose disk fails', () => {
  test('acknowledges nothing any more, and says that what was in the log may yet be applied', async () => {
    const failures: string[] = []
    await withGroup(
      async (bench) => {
        await lead(bench)
        const { storage, turn, propose, group, model } = bench
        const inLog = propose('a')
        await turn()
        const notInLog = propose('b')
        const reads: unknown[] = []
        group.readBarrier((error) => reads.push(error?.code))
        storage.writes.at(-1)?.done.reject(new Error('EIO'))
        await settle()
        expect(inLog).toMatchObject([{ ok: false, error: { code: 'node-failed', outcome: 'unknown' } }])
        expect(notInLog).toMatchObject([{ ok: false, error: { code: 'node-failed', outcome: 'none' } }])
        expect(reads).toEqual(['node-failed'])
        expect(group.isLeaderReady).toBe(false)
        await turn()
        expect(propose('c')).toMatchObject([{ ok: false, error: { code: 'node-failed', outcome: 'none' } }])
        group.readBarrier((error) => reads.push(error?.code))
        expect(reads).toEqual(['node-failed', 'node-failed'])
        expect(model.applied).toEqual([])
        expect(failures).toEqual(['node-failed'])
      },
      { observer: { failed: (error) => failures.push(error.code) } },
    )
  })

  test('a call made from within the answer of a failed one is answered too', async () => {
    await withGroup(async (bench) => {
      await lead(bench)
      const { storage, turn, group } = bench
      const codes: string[] = []
      group.propose(bytesFromText('a'), undefined, () => {
        group.propose(bytesFromText('b'), undefined, (result) =>
          codes.push(result.ok ? 'ok' : result.error.code),
        )
        group.readBarrier((error) => codes.push(error?.code ?? 'ok'))
      })
      await turn()
      storage.writes.at(-1)?.done.reject(new Error('EIO'))
      await settle()
      expect(codes).toEqual(['node-failed', 'node-failed'])
    })
  })

  test('a command that cannot be applied, or a broken invariant, stops the node instead of the process', async () => {
    await withGroup(async (bench) => {
      await lead(bench)
      const results = bench.propose('poison')
      await bench.turn()
      await bench.storage.drain()
      expect(bench.group.failure).toMatchObject({ code: 'node-failed' })
      expect(results).toMatchObject([{ ok: false, error: { outcome: 'unknown' } }])
    })
    let isBroken = false
    await withGroup(
      async (bench) => {
        await lead(bench)
        isBroken = true
        bench.propose('a')
        await bench.turn()
        expect(bench.group.failure?.cause).toMatchObject({ message: 'broken' })
      },
      {
        observer: {
          stepped: () => {
            if (isBroken) throw new Error('broken')
          },
        },
      },
    )
  })
})

describe('bounds', () => {
  test('commands waiting to enter the log', async () => {
    await withGroup(
      async (bench) => {
        await lead(bench)
        const results = ['a', 'b', 'c'].map(bench.propose)
        expect(results.flat()).toMatchObject([{ ok: false, error: { code: 'overloaded', outcome: 'none' } }])
        await bench.turn()
        await bench.storage.drain()
        expect(bench.model.applied).toEqual(['a', 'b'])
      },
      { waitingProposalsMax: 2 },
    )
  })

  test('bytes that the disk has not written', async () => {
    await withGroup(
      async (bench) => {
        await lead(bench)
        const { propose, turn, storage, model } = bench
        propose('x'.repeat(60))
        await turn()
        propose('y'.repeat(60))
        await turn()
        expect(propose('z')).toMatchObject([{ ok: false, error: { code: 'overloaded', outcome: 'none' } }])
        await storage.drain()
        const after = propose('z')
        await turn()
        await storage.drain()
        expect(after).toMatchObject([{ ok: true }])
        expect(model.applied.length).toBe(3)
      },
      { unwrittenBytesMax: 100 },
    )
  })

  test('readers that wait', async () => {
    await withGroup(
      async (bench) => {
        await lead(bench)
        const codes: string[] = []
        const read = () => bench.group.readBarrier((error) => codes.push(error?.code ?? 'served'))
        for (let i = 0; i < 3; i++) read()
        expect(codes).toEqual(['overloaded'])
        await bench.turn()
        expect(codes).toEqual(['overloaded', 'served', 'served'])
        read()
        await bench.turn()
        expect(codes.at(-1)).toBe('served')
      },
      { readersMax: 2 },
    )
  })
})

describe('a member of three', () => {
  test('asks for votes only when its own term and vote are durable', async () => {
    await withMember(async (bench, { receive, sent }) => {
      bench.group.start()
      await bench.sleep(2_100)
      receive({ type: 'requestVoteReply', from: 2, to: 1, term: 1, preVote: true, granted: true })
      const votes = () => sent.filter((message) => message.type === 'requestVote' && !message.preVote)
      expect(bench.storage.writes.length).toBe(1)
      expect(votes()).toEqual([])
      await bench.storage.drain()
      expect(votes().length).toBe(2)
    })
  })

  test('a follower acknowledges entries only when they are durable', async () => {
    await withMember(async (bench, { receive, sent }) => {
      bench.group.start()
      const entry = { index: 1, term: 5, kind: 'command' as const, data: bytesFromText('a') }
      const head = {
        type: 'appendEntries',
        from: 2,
        to: 1,
        term: 5,
        prevLogIndex: 0,
        prevLogTerm: 0,
        leaderCommit: 0,
      } as const
      receive({ ...head, entries: [entry], round: 1 })
      const replies = () => sent.filter((message) => message.type === 'appendEntriesReply')
      expect(replies()).toEqual([])
      await bench.storage.drain()
      expect(replies()).toMatchObject([{ success: true, matchIndex: 1 }])
    })
  })

  test('a leader that steps down tells its proposers that the outcome is unknown', async () => {
    await withMember(async (bench, { receive }) => {
      await winElection(bench, receive)
      const results = bench.propose('a')
      await bench.turn()
      receive({ type: 'requestVoteReply', from: 3, to: 1, term: 9, preVote: false, granted: false })
      expect(results).toMatchObject([{ ok: false, error: { code: 'unavailable', outcome: 'unknown' } }])
      expect(bench.propose('b')).toEqual([])
      await bench.turn()
    })
  })

  test('a command whose place another leader took was surely not applied', async () => {
    await withMember(async (bench, { receive }) => {
      await winElection(bench, receive)
      const results = bench.propose('mine')
      await bench.turn()
      const entries = [
        { index: 1, term: 8, kind: 'empty' as const, data: new Uint8Array(0) },
        { index: 2, term: 8, kind: 'command' as const, data: bytesFromText('theirs') },
      ]
      const head = {
        type: 'appendEntries',
        from: 2,
        to: 1,
        term: 8,
        prevLogIndex: 0,
        prevLogTerm: 0,
      } as const
      receive({ ...head, entries, leaderCommit: 2, round: 1 })
      expect(results).toMatchObject([{ ok: false, error: { outcome: 'none' } }])
      expect(bench.model.applied).toEqual(['theirs'])
    })
  })

  test('readers are told when the entries that they wait for do not come', async () => {
    await withMember(async (bench, { receive, sent }) => {
      const { group, turn, sleep } = bench
      group.start()
      const heartbeat = (round: number) =>
        receive({
          type: 'appendEntries',
          from: 2,
          to: 1,
          term: 5,
          prevLogIndex: 0,
          prevLogTerm: 0,
          entries: [],
          leaderCommit: 0,
          round,
        })
      heartbeat(1)
      await bench.storage.drain()
      const codes: string[] = []
      group.readBarrier((error) => codes.push(error?.code ?? 'served'))
      await turn()
      const question = sent.find((message) => message.type === 'readIndex')
      receive({
        type: 'readIndexReply',
        from: 2,
        to: 1,
        term: 5,
        id: question?.type === 'readIndex' ? question.id : 0,
        index: 7,
      })
      for (let round = 2; round < 60; round++) {
        await sleep(100)
        heartbeat(round)
      }
      expect(codes).toEqual(['unavailable'])
    })
  })
})
