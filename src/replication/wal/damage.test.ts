import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Entry } from '../../protocols/raft/types.ts'
import { type LoneGroup, openLoneGroup } from '../lone-group.testkit.ts'
import { FaultDisk, type LogLine, worldWithDisk } from './fault-disk.testkit.ts'
import { readItems } from './items.ts'
import { markOffset, recordsOffset } from './segment-header.ts'
import { scanRecords } from './segment-scan.ts'

const identity = { clusterId: 'test', nodeId: 1 }

function open(disk: FaultDisk, lines: LogLine[] = []): Promise<LoneGroup> {
  return openLoneGroup(worldWithDisk(disk, lines), 'node', { identity, segmentBytes: 4096 })
}

function entry(index: number, data: Uint8Array): Entry {
  return { index, term: 1, kind: 'command', data }
}

/** `counts[i]` entries of `bytes` bytes in the i-th append; a record each. */
async function filesWith(appends: number, bytes: number, fill = 0): Promise<Map<string, Buffer>> {
  const disk = new FaultDisk()
  const { storage } = await open(disk)
  for (let index = 1; index <= appends; index++) {
    const data = new Uint8Array(bytes).fill(fill)
    await storage.append({ hardState: { term: 1, vote: 1 }, entries: [entry(index, data)] })
  }
  await storage.close()
  return disk.files()
}

function flipped(files: ReadonlyMap<string, Buffer>, path: string, bit: number): Map<string, Buffer> {
  const copy = new Map(files)
  const bytes = Buffer.from(files.get(path) as Buffer)
  bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7))
  return copy.set(path, bytes)
}

async function failureOf(files: ReadonlyMap<string, Buffer>): Promise<{ code?: string; message: string }> {
  const disk = new FaultDisk(files)
  const error = await open(disk).then(
    () => ({ message: 'it opened' }),
    (error: { code?: string; message: string }) => error,
  )
  expect([...disk.names.keys()], 'nothing may be deleted').toEqual([...files.keys()])
  for (const [path, { bytes }] of disk.names) {
    expect(bytes.equals(files.get(path) as Buffer), `${path} may not be changed`).toBe(true)
  }
  return error
}

describe('a flipped bit', () => {
  test('is detected wherever it is in header or records, the last record included', async () => {
    const files = await filesWith(4, 40)
    const path = 'node/wal-0000000001.log'
    const bytes = files.get(path) as Buffer
    const used = scanRecords(bytes, recordsOffset, 0, () => {})
    expect(used.kind).toBe('end')
    for (let bit = 0; bit < 8 * used.offset; bit++) {
      if (bit >= 8 * markOffset && bit < 8 * recordsOffset) continue
      const error = await failureOf(flipped(files, path, bit))
      expect(error, `bit ${bit}`).toMatchObject({ code: 'corrupt' })
      expect(error.message).toMatch(/wal-0000000001\.log is damaged at offset \d+: .*Rebuild this node/)
    }
  })

  test('is detected in the last record even where its sectors hold nothing but zeros', async () => {
    const files = await filesWith(1, 1500)
    const path = 'node/wal-0000000001.log'
    const { offset } = scanRecords(files.get(path) as Buffer, recordsOffset, 0, () => {})
    for (let bit = 8 * recordsOffset; bit < 8 * offset; bit += 1) {
      expect(await failureOf(flipped(files, path, bit)), `bit ${bit}`).toMatchObject({ code: 'corrupt' })
    }
  })

  test('in the mark loses nothing: the whole file is read', async () => {
    const files = await filesWith(2, 40)
    const path = 'node/wal-0000000001.log'
    for (let bit = 8 * markOffset; bit < 8 * (markOffset + 16); bit++) {
      const { restored } = await open(new FaultDisk(flipped(files, path, bit)))
      expect(restored.entries.map(({ index }) => index)).toEqual([1, 2])
    }
  })

  test('in the unused end of the last segment loses nothing', async () => {
    const files = await filesWith(2, 40)
    const path = 'node/wal-0000000001.log'
    const disk = new FaultDisk(flipped(files, path, 8 * 4000 + 3))
    const { restored } = await open(disk)
    expect(restored.entries.map(({ index }) => index)).toEqual([1, 2])
  })

  test('in the identity file is detected', async () => {
    const files = await filesWith(1, 10)
    const path = 'node/identity.json'
    for (let bit = 0; bit < 8 * (files.get(path) as Buffer).length; bit++) {
      expect(await failureOf(flipped(files, path, bit)), `bit ${bit}`).toMatchObject({ code: 'corrupt' })
    }
  })
})

describe('files that are cut or missing', () => {
  test('a segment that is shorter than it was made is refused', async () => {
    const files = await filesWith(12, 600, 5)
    for (const path of [...files.keys()].filter((name) => name.endsWith('.log'))) {
      const bytes = files.get(path) as Buffer
      for (let size = 0; size < bytes.length; size += 61) {
        const cut = new Map(files).set(path, bytes.subarray(0, size))
        expect(await failureOf(cut), `${path} cut to ${size}`).toMatchObject({ code: 'corrupt' })
      }
    }
  })

  test('any missing segment is noticed: the first, the middle, the last', async () => {
    const files = await filesWith(12, 600, 5)
    const segments = [...files.keys()].filter((name) => name.endsWith('.log'))
    expect(segments.length).toBeGreaterThan(2)
    for (const path of segments) {
      const rest = new Map(files)
      rest.delete(path)
      expect(await failureOf(rest), `without ${path}`).toMatchObject({ code: 'corrupt' })
    }
  })

  test('a missing identity file is noticed when there is data', async () => {
    const files = await filesWith(1, 10)
    files.delete('node/identity.json')
    expect(await failureOf(files)).toMatchObject({ code: 'corrupt' })
  })

  test('records that are exchanged between places are refused', async () => {
    const files = await filesWith(3, 40)
    const path = 'node/wal-0000000001.log'
    const bytes = Buffer.from(files.get(path) as Buffer)
    const at: number[] = []
    scanRecords(bytes, recordsOffset, 0, ({ offset }) => at.push(offset))
    const [first, second, third] = at as [number, number, number]
    const swapped = Buffer.from(bytes)
    bytes.copy(swapped, first, second, third)
    bytes.copy(swapped, second, first, second)
    expect(await failureOf(new Map(files).set(path, swapped))).toMatchObject({ code: 'corrupt' })
  })
})

describe('a torn end', () => {
  test('is cut after a copy has been kept, and the log goes on from there', async () => {
    const files = await filesWith(3, 700, 9)
    const path = 'node/wal-0000000001.log'
    const bytes = Buffer.from(files.get(path) as Buffer)
    const at: number[] = []
    const { offset: end } = scanRecords(bytes, recordsOffset, 0, ({ offset }) => at.push(offset))
    const last = at.at(-1) as number
    bytes.fill(0, end - 100)
    const disk = new FaultDisk(new Map(files).set(path, bytes))
    const lines: LogLine[] = []
    const opened = await open(disk, lines)
    expect(opened.restored.entries.map(({ index }) => index)).toEqual([1, 2])
    const copy = disk.files().get(`${path}.${last}.broken`)
    expect(copy?.subarray(last, end - 100)).toEqual(bytes.subarray(last, end - 100))
    expect(lines).toHaveLength(1)
    await opened.storage.append({ entries: [entry(3, new Uint8Array(5))] })
    await opened.storage.close()
    const again = await open(new FaultDisk(disk.files()))
    expect(again.restored.entries.map(({ index }) => index)).toEqual([1, 2, 3])
  })

  test('is not cut when a whole record follows it', async () => {
    const files = await filesWith(4, 300, 9)
    const path = 'node/wal-0000000001.log'
    const at: number[] = []
    scanRecords(files.get(path) as Buffer, recordsOffset, 0, ({ offset }) => at.push(offset))
    for (const [from, to] of [
      [at[1], at[2]],
      [at[1], at[3]],
    ] as [number, number][]) {
      const bytes = Buffer.from(files.get(path) as Buffer)
      bytes.fill(0, from, to)
      expect(await failureOf(new Map(files).set(path, bytes))).toMatchObject({ code: 'corrupt' })
    }
  })

  test('of a segment that is not the last is damage', async () => {
    const files = await filesWith(12, 600, 5)
    const path = 'node/wal-0000000001.log'
    const bytes = Buffer.from(files.get(path) as Buffer)
    const { offset } = scanRecords(bytes, recordsOffset, 0, () => {})
    bytes.fill(0, offset - 50)
    expect(await failureOf(new Map(files).set(path, bytes))).toMatchObject({ code: 'corrupt' })
  })
})

describe('random bytes', () => {
  test('as a segment are refused or cut, never a crash', async () => {
    const files = await filesWith(2, 40)
    const path = 'node/wal-0000000001.log'
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 3000 }), fc.nat(4096), async (noise, at) => {
        const bytes = Buffer.from(files.get(path) as Buffer)
        bytes.set(noise.subarray(0, bytes.length - at), at)
        const result = await open(new FaultDisk(new Map(files).set(path, bytes))).then(
          () => 'opened',
          (error: { code?: string }) => error.code,
        )
        expect(['opened', 'corrupt']).toContain(result)
      }),
      { numRuns: 300 },
    )
  })

  test('as the payload of a record are read, or refused as corrupt', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.constantFrom(1, 2), (noise, format) => {
        try {
          const items = readItems(Buffer.from(noise), format)
          expect(items.length).toBeLessThanOrEqual(noise.length)
        } catch (error) {
          expect(error).toMatchObject({ code: 'corrupt' })
        }
      }),
      { numRuns: 2000 },
    )
  })
})
