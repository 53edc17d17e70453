import { describe, expect, test } from 'vitest'
import { encodeMutation } from '../../models/store/codec.ts'
import { encodeMessage } from './log-message.ts'
import { capabilities, get, put, simulateSeed } from './shared-log-store.test-support.ts'
import type { SharedLogStore } from './shared-log-store.ts'

describe('the history of a log', () => {
  test('is kept short by snapshots, and whoever comes later has all of it', async () => {
    await simulateSeed(1, async (lab) => {
      const store = await lab.open({ snapshotMessages: 2_000 })
      const { lease } = await store.grantLease({ ttlMs: 3_600_000 })
      for (let i = 0; i < 4_500; i++) await put(store, `k${i % 100}`, String(i))
      await lab.pass(100)
      expect(lab.server.snapshots.length).toBe(2)
      expect(lab.server.messages.length).toBeLessThan(3_000)
      const late = await lab.open()
      expect(await get(late, 'k42')).toBe('4442')
      const hashes = await lab.settledHashes([store, late])
      expect(hashes[0]).toBe(hashes[1])
      expect((await late.keepLeaseAlive(lease)).lease).toBe(lease)
    })
  }, 60_000)

  test('a copy that falls behind what was purged goes on from a snapshot, and its watches lose nothing', async () => {
    await simulateSeed(2, async (lab) => {
      const writer = await lab.open()
      const log = lab.server.connect()
      const { SharedLogStore } = await import('./shared-log-store.ts')
      const behind = await SharedLogStore.open(lab.world, log, { capabilities })
      const seen: string[] = []
      void (async () => {
        for await (const batch of behind.watch({ key: 'k', end: 'l' }))
          if (batch.kind === 'events')
            for (const event of batch.events) if (event.type === 'put') seen.push(event.kv.key)
      })()
      await put(writer, 'k0', '0')
      await lab.pass(100)
      log.disconnect()
      for (let i = 1; i < 50; i++) await put(writer, `k${i}`, String(i))
      expect(await writer.host.makeRoom()).toBe(true)
      for (let i = 50; i < 60; i++) await put(writer, `k${i}`, String(i))
      log.connect()
      expect(await get(behind, 'k59')).toBe('59')
      await lab.pass(100)
      expect(seen).toEqual(Array.from({ length: 60 }, (_, i) => `k${i}`))
    })
  })

  test('a damaged snapshot is refused, and nothing is served from it', async () => {
    await simulateSeed(3, async (lab) => {
      const store = await lab.open()
      for (let i = 0; i < 50; i++) await put(store, `k${i}`, 'value')
      await store.host.makeRoom()
      for (const damage of [flipped, cut]) {
        const [snapshot] = lab.server.snapshots
        const chunks = [...(snapshot?.chunks ?? [])]
        lab.server.snapshots = [{ ...(snapshot as (typeof lab.server.snapshots)[0]), chunks: damage(chunks) }]
        await expect(lab.open()).rejects.toMatchObject({ code: 'corrupt', outcome: 'none' })
        lab.server.snapshots = [snapshot as (typeof lab.server.snapshots)[0]]
      }
      expect(await get(await lab.open(), 'k7')).toBe('value')
    })
  })

  test('where no snapshot holds what was purged, opening fails and says so', async () => {
    await simulateSeed(4, async (lab) => {
      const store = await lab.open()
      for (let i = 0; i < 10; i++) await put(store, 'k', String(i))
      lab.server.purge(5)
      await expect(lab.open({ timeoutMs: 2_000 })).rejects.toMatchObject({
        code: 'unavailable',
        outcome: 'none',
        message: expect.stringContaining('no snapshot reaches'),
      })
    })
  })

  test('messages that were lost after they were acknowledged stop every copy that had them, for good', async () => {
    await simulateSeed(5, async (lab) => {
      const [reader, writer] = (await lab.several(2)) as [SharedLogStore, SharedLogStore]
      const watch = reader.watch({ key: 'k' })[Symbol.asyncIterator]()
      await watch.next()
      for (let i = 0; i < 20; i++) await put(writer, 'k', String(i))
      lab.server.loseTail(5)
      const other = await lab.open()
      for (let i = 0; i < 10; i++) await put(other, 'other', String(i))
      await lab.pass(5_000)
      for (const store of [reader, writer]) {
        await expect(get(store, 'k')).rejects.toMatchObject({ code: 'corrupt' })
        await expect(put(store, 'k', 'x')).rejects.toMatchObject({ code: 'corrupt', outcome: 'none' })
      }
      await expect(
        (async () => {
          while ((await watch.next()).done !== true);
        })(),
      ).rejects.toMatchObject({ code: 'corrupt' })
      expect(await get(other, 'k')).toBe('14')
    })
  })

  test('a copy that was first to write after such a loss notices by the place that its message got', async () => {
    await simulateSeed(6, async (lab) => {
      const store = await lab.open()
      for (let i = 0; i < 20; i++) await put(store, 'k', String(i))
      lab.server.loseTail(5)
      await expect(put(store, 'k', 'x')).rejects.toMatchObject({ code: 'corrupt', outcome: 'unknown' })
    })
  })

  test('a log that was made anew under the same name is not taken for the old one', async () => {
    await simulateSeed(7, async (lab) => {
      const store = await lab.open()
      await put(store, 'k', '1')
      lab.server.identity = 'log-2'
      lab.server.breakReaders()
      await lab.pass(2_000)
      await expect(get(store, 'k')).rejects.toMatchObject({ code: 'corrupt' })
    })
  })

  test('a message that is lost in the middle stops those that have not read it, and nobody applies what follows', async () => {
    await simulateSeed(11, async (lab) => {
      const store = await lab.open()
      for (let i = 0; i < 20; i++) await put(store, `k${i}`, String(i))
      lab.server.loseMessage(10)
      await expect(lab.open({ timeoutMs: 10_000 })).rejects.toMatchObject({
        code: 'corrupt',
        outcome: 'none',
        details: { sequence: 10 },
      })
      // Who has read it goes on, and a snapshot of theirs mends the rest.
      await put(store, 'k', 'last')
      await store.host.makeRoom()
      expect(await get(await lab.open(), 'k')).toBe('last')
    })
  })

  test('a watch tells of progress only while the log can be read', async () => {
    await simulateSeed(13, async (lab) => {
      const { SharedLogStore } = await import('./shared-log-store.ts')
      const log = lab.server.connect()
      const store = await SharedLogStore.open(lab.world, log, { capabilities })
      let told = 0
      void (async () => {
        for await (const { kind } of store.watch({ key: 'k', progressMs: 1_000 }))
          if (kind === 'progress') told++
      })()
      await lab.pass(5_000)
      expect(told).toBeGreaterThan(2)
      log.disconnect()
      await lab.pass(1_000)
      told = 0
      await lab.pass(30_000)
      expect(told).toBe(0)
      log.connect()
      await lab.pass(5_000)
      expect(told).toBeGreaterThan(2)
    })
  })

  test('a session that the store has given up is replaced, and no call notices', async () => {
    await simulateSeed(12, async (lab) => {
      const [store, other] = (await lab.several(2)) as [SharedLogStore, SharedLogStore]
      await put(store, 'k', '1')
      // As when ten thousand others were used since: the session of the first client is closed in the log.
      await new Promise<void>((resolve) => {
        const data = encodeMutation({ type: 'closeSession' }, { session: 1, sequence: 0, acknowledged: 0 })
        void lab.server
          .connect()
          .append(encodeMessage({ writer: '00'.repeat(8), number: 1, items: [{ kind: 'command', data }] }))
        lab.world.timers.after(100, resolve)
      })
      await Promise.all([put(store, 'a', '2'), put(store, 'b', '3'), put(other, 'c', '4')])
      expect((await store.range({ key: 'a', end: 'd' })).kvs.map(({ version }) => version)).toEqual([1, 1, 1])
    })
  })

  test('a message that is none of ours is passed over by all; one of a later format stops those who cannot read it', async () => {
    await simulateSeed(8, async (lab) => {
      const [store, other] = (await lab.several(2)) as [SharedLogStore, SharedLogStore]
      lab.server.store(Buffer.from('hello'))
      lab.server.store(Buffer.from([0xa7, 0x4c, 1, 9, 9]))
      await put(store, 'k', '1')
      const [one, two] = await lab.settledHashes([store, other])
      expect(one).toBe(two)
      lab.server.store(Buffer.from([0xa7, 0x4c, 2, 0]))
      await lab.pass(100)
      await expect(get(store, 'k')).rejects.toMatchObject({ code: 'incompatible-peer' })
    })
  })

  test('a full log is made room in; when that cannot be done nothing has happened, and it serves again once there is room', async () => {
    await simulateSeed(9, async (lab) => {
      const store = await lab.open({ snapshotMessages: 1_000_000 })
      lab.server.bytesMax = 20_000
      for (let i = 0; i < 1_000; i++) await put(store, 'k', String(i).padStart(100, '0'))
      expect(lab.server.snapshots.length).toBe(2)
      lab.server.isSnapshotsFull = true
      let refused = 0
      for (let i = 0; i < 300 && refused === 0; i++) {
        await put(store, 'k', `new ${i}`).catch((error: unknown) => {
          expect(error).toMatchObject({ code: 'no-space', outcome: 'none' })
          refused++
        })
      }
      expect(refused).toBe(1)
      expect((await store.range({ key: 'k' }, { consistency: 'serializable' })).count).toBe(1)
      lab.server.isSnapshotsFull = false
      await put(store, 'k', 'last')
      expect(await get(store, 'k')).toBe('last')
    })
  })

  test('the quota of a client refuses what grows the store, and lets through what makes room', async () => {
    await simulateSeed(10, async (lab) => {
      const store = await lab.open({ bounds: { quotaBytes: 16 * 1024 * 1024 } })
      const big = 'x'.repeat(500_000)
      const filling = (async () => {
        for (let i = 0; ; i++) await put(store, `k${i}`, big)
      })()
      await expect(filling).rejects.toMatchObject({ code: 'no-space', outcome: 'none' })
      const { revision } = await store.txn({ then: [{ op: 'delete', key: 'k', end: 'l' }] })
      await store.compact(revision)
      await put(store, 'k', big)
    })
  }, 60_000)
})

function flipped(chunks: readonly Uint8Array[]): readonly Uint8Array[] {
  return chunks.map((chunk, index) => {
    if (index < chunks.length - 1) return chunk
    const copy = new Uint8Array(chunk)
    copy[copy.length >> 1] = (copy[copy.length >> 1] as number) ^ 1
    return copy
  })
}

function cut(chunks: readonly Uint8Array[]): readonly Uint8Array[] {
  return chunks.slice(0, -1)
}
