import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { openLoneGroup } from '../lone-group.testkit.ts'
import { MemoryStorage } from '../memory-storage.ts'
import type { RaftStorage, SnapshotReader } from '../storage.ts'
import { FaultDisk, worldWithDisk } from '../wal/fault-disk.testkit.ts'

const identity = { clusterId: 'test', nodeId: 1 }
const meta = { index: 5, term: 2, configuration: { voters: [1, 2, 3] } }

async function storageOn(disk: FaultDisk, snapshotBlockBytes = 64): Promise<RaftStorage> {
  const opened = await openLoneGroup(worldWithDisk(disk), 'node', {
    identity,
    segmentBytes: 4096,
    snapshotBlockBytes,
  })
  return opened.storage
}

async function contentOf(reader: SnapshotReader): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of reader.chunks()) chunks.push(chunk)
  return Buffer.concat(chunks)
}

async function opened(storage: RaftStorage): Promise<SnapshotReader> {
  return (await storage.openSnapshot()) as SnapshotReader
}

async function refused(promise: Promise<unknown>): Promise<{ code?: string; message: string }> {
  return promise.then(
    () => ({ message: 'it was not refused' }),
    (error: { code?: string; message: string }) => error,
  )
}

/** Sends a snapshot of its own to the storage, whole. */
async function receiveFrom(storage: RaftStorage, announced: typeof meta): Promise<void> {
  const source = new MemoryStorage()
  await source.saveSnapshot(announced, [bytes(200)])
  const reader = await opened(source)
  const file = await reader.read(0, reader.size)
  await reader.close()
  const receiver = storage.receiveSnapshot(announced, 1)
  try {
    await receiver.write(0, file)
    await receiver.finish()
  } catch (error) {
    await receiver.abort()
    throw error
  }
}

function bytes(length: number): Buffer {
  return Buffer.from(Array.from({ length }, (_, i) => (i * 7) & 0xff))
}

describe('a snapshot', () => {
  test('comes back whole, whatever the sizes of chunks and blocks', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uint8Array({ maxLength: 100 }), { maxLength: 8 }),
        fc.integer({ min: 1, max: 40 }),
        async (chunks, blockBytes) => {
          const disk = new FaultDisk()
          await (await storageOn(disk, blockBytes)).saveSnapshot(meta, chunks)
          const reader = await opened(await storageOn(new FaultDisk(disk.files()), 64))
          expect(reader.meta).toEqual(meta)
          expect(await contentOf(reader)).toEqual(Buffer.concat(chunks))
        },
      ),
      { numRuns: 100 },
    )
  })

  test('any flipped bit is detected, with file and offset, and nothing is deleted', async () => {
    const disk = new FaultDisk()
    await (await storageOn(disk)).saveSnapshot(meta, [bytes(150)])
    const files = disk.files()
    const path = [...files.keys()].find((name) => name.endsWith('.snap')) as string
    const whole = files.get(path) as Buffer
    for (let bit = 0; bit < 8 * whole.length; bit++) {
      const damaged = Buffer.from(whole)
      damaged[bit >> 3] = (damaged[bit >> 3] as number) ^ (1 << (bit & 7))
      const other = new FaultDisk(new Map(files).set(path, damaged))
      const read = async () => contentOf(await opened(await storageOn(other)))
      const error = await refused(read())
      expect(error, `bit ${bit}`).toMatchObject({ code: 'corrupt' })
      expect(error.message).toMatch(/\.snap is damaged at offset \d+/)
      expect(other.names.has(path)).toBe(true)
    }
  })

  test('a cut or lengthened file is detected', async () => {
    const disk = new FaultDisk()
    await (await storageOn(disk)).saveSnapshot(meta, [bytes(150)])
    const files = disk.files()
    const path = [...files.keys()].find((name) => name.endsWith('.snap')) as string
    const whole = files.get(path) as Buffer
    const wrong = [...Array(whole.length).keys()].map((size) => whole.subarray(0, size))
    for (const content of [...wrong, Buffer.concat([whole, Buffer.alloc(1)])]) {
      const other = new FaultDisk(new Map(files).set(path, content))
      const read = async () => contentOf(await opened(await storageOn(other)))
      expect(await refused(read()), `${content.length} bytes`).toMatchObject({ code: 'corrupt' })
    }
  })

  test('any range of the file can be read, and only after it has been checked', async () => {
    const disk = new FaultDisk()
    const storage = await storageOn(disk)
    await storage.saveSnapshot(meta, [bytes(300)])
    const path = [...disk.names.keys()].find((name) => name.endsWith('.snap')) as string
    const whole = disk.files().get(path) as Buffer
    const reader = await opened(storage)
    expect(reader.size).toBe(whole.length)
    for (let offset = 0; offset <= whole.length; offset += 13) {
      expect(Buffer.from(await reader.read(offset, 90))).toEqual(whole.subarray(offset, offset + 90))
    }
    await reader.close()
    const inode = disk.names.get(path) as { bytes: Buffer }
    inode.bytes[whole.length - 1] = (inode.bytes[whole.length - 1] as number) ^ 1
    expect(await refused((await opened(storage)).read(whole.length - 20, 5))).toMatchObject({
      code: 'corrupt',
    })
  })

  test('replaces the older one, which stays readable while it is being read', async () => {
    const disk = new FaultDisk()
    const storage = await storageOn(disk)
    await storage.saveSnapshot(meta, [bytes(10)])
    const old = await opened(storage)
    await storage.saveSnapshot({ ...meta, index: 9 }, [bytes(20)])
    expect((await contentOf(old)).length).toBe(10)
    const snapshots = () => [...disk.names.keys()].filter((name) => name.endsWith('.snap')).length
    expect(snapshots()).toBe(2)
    await old.close()
    expect(snapshots()).toBe(1)
    expect((await opened(storage)).meta.index).toBe(9)
  })

  test('carries the whole configuration; only a node that understands it can read learners or a joint one', async () => {
    const addresses = { 1: 'a:1', 12: 'b:2' }
    for (const [configuration, version] of [
      [{ voters: [1, 12] }, 1],
      [{ voters: [1, 12], addresses }, 1],
      [{ voters: [1], learners: [12], addresses }, 2],
      [{ voters: [1], outgoingVoters: [1, 12] }, 2],
    ] as const) {
      const disk = new FaultDisk()
      await (await storageOn(disk)).saveSnapshot({ ...meta, configuration }, [bytes(10)])
      const path = [...disk.names.keys()].find((name) => name.endsWith('.snap')) as string
      expect(disk.files().get(path)?.readUInt32LE(8)).toBe(version)
      const reader = await opened(await storageOn(new FaultDisk(disk.files())))
      expect(reader.meta.configuration).toEqual(configuration)
    }
  })

  test.each(['write', 'truncate', 'sync', 'rename'])(
    'that finds the disk full at %s is given up, and harms nothing',
    async (operation) => {
      const disk = new FaultDisk()
      const storage = await storageOn(disk)
      await storage.saveSnapshot(meta, [bytes(10)])
      const names = [...disk.names.keys()]
      disk.fault = (name, path) => {
        if (name !== operation || !path.includes('snapshot-')) return
        throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' })
      }
      const later = { ...meta, index: 9 }
      expect(await refused(storage.saveSnapshot(later, [bytes(200)]))).toMatchObject({ code: 'no-space' })
      expect(await refused(receiveFrom(storage, later))).toMatchObject({ code: 'no-space' })
      expect([...disk.names.keys()]).toEqual(names)
      disk.fault = undefined
      await storage.append({ entries: [] })
      await storage.saveSnapshot({ ...meta, index: 11 }, [bytes(200)])
      expect((await opened(storage)).meta.index).toBe(11)
    },
  )

  test('whose source fails is given up, and harms nothing', async () => {
    const disk = new FaultDisk()
    const storage = await storageOn(disk)
    const broken = function* () {
      yield bytes(10)
      throw new Error('the model failed')
    }
    expect(await refused(storage.saveSnapshot(meta, broken()))).toMatchObject({ message: 'the model failed' })
    expect([...disk.names.keys()].some((name) => name.endsWith('.tmp'))).toBe(false)
    await storage.saveSnapshot(meta, [bytes(10)])
    expect((await opened(storage)).meta).toEqual(meta)
  })
})

describe.each(['disk', 'memory'])('a transfer to %s', (kind) => {
  const target = () => (kind === 'disk' ? storageOn(new FaultDisk()) : Promise.resolve(new MemoryStorage()))

  async function source(): Promise<SnapshotReader> {
    const storage = await storageOn(new FaultDisk())
    await storage.saveSnapshot(meta, [bytes(1000)])
    return opened(storage)
  }

  test('skips what it has, refuses gaps, and ends with the same snapshot', async () => {
    const reader = await source()
    const storage = await target()
    const receiver = storage.receiveSnapshot(meta, 1)
    expect(await receiver.write(0, await reader.read(0, 300))).toBe(300)
    expect(await receiver.write(400, await reader.read(400, 100))).toBe(300)
    expect(await receiver.write(200, await reader.read(200, 200))).toBe(400)
    expect(await receiver.write(0, await reader.read(0, 100))).toBe(400)
    expect(await receiver.write(400, await reader.read(400, 5000))).toBe(reader.size)
    await receiver.finish()
    const received = await opened(storage)
    expect(received.meta).toEqual(meta)
    expect(await contentOf(received)).toEqual(bytes(1000))
  })

  test('that is damaged or not what was announced is void', async () => {
    const reader = await source()
    const storage = await target()
    const damaged = Buffer.from(await reader.read(0, reader.size))
    damaged[500] = (damaged[500] as number) ^ 4
    const first = storage.receiveSnapshot(meta, 1)
    await first.write(0, damaged)
    expect(await refused(first.finish())).toMatchObject({ code: 'corrupt' })
    const second = storage.receiveSnapshot({ ...meta, index: 6 }, 2)
    await second.write(0, await reader.read(0, reader.size))
    expect(await refused(second.finish())).toMatchObject({ code: 'corrupt' })
    const third = storage.receiveSnapshot(meta, 3)
    await third.write(0, await reader.read(0, 100))
    await third.abort()
    await third.abort()
    expect(await refused(third.write(100, bytes(1)))).toMatchObject({ code: 'closed' })
    expect(await storage.openSnapshot()).toBeUndefined()
  })
})
