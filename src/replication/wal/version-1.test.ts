import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { type NodeStorage, openNodeStorage, type OpenedGroup } from '../node-storage.ts'
import type { DiskStorageOptions } from '../storage.ts'
import { FaultDisk, tearSectors, worldWithDisk } from './fault-disk.testkit.ts'
import { scanRecords } from './segment-scan.ts'

// Folders as the first release has written them (format version 1, with segments of 4096 bytes). They are never made anew.
const folders = ['version-1-empty', 'version-1-log', 'version-1-snapshot'] as const
type Folder = (typeof folders)[number]

const identity = { clusterId: 'test', nodeId: 2 }
const version1Configuration = { voters: [1, 2, 3] }

function filesOf(folder: Folder): Map<string, Buffer> {
  const packed = readFileSync(new URL(`./testdata/${folder}.json.gz`, import.meta.url))
  const files = JSON.parse(gunzipSync(packed).toString()) as Record<string, string>
  return new Map(Object.entries(files).map(([path, content]) => [path, Buffer.from(content, 'base64')]))
}

function open(
  disk: FaultDisk,
  options: DiskStorageOptions = { version1Configuration },
): Promise<NodeStorage> {
  return openNodeStorage(worldWithDisk(disk), 'node', { identity, segmentBytes: 4096, ...options })
}

function ownGroup(node: NodeStorage): OpenedGroup {
  expect([...node.groups.keys()]).toEqual([1])
  return node.groups.get(1) as OpenedGroup
}

/** What those who made the folders had put in, in few words. */
const contents: Readonly<Record<Folder, unknown>> = {
  'version-1-empty': {
    hardState: { term: 0, vote: 0 },
    snapshot: undefined,
    first: undefined,
    last: undefined,
  },
  'version-1-log': {
    hardState: { term: 4, vote: 1 },
    snapshot: undefined,
    first: [1, 3, 40],
    last: [3, 4, 12],
  },
  'version-1-snapshot': {
    hardState: { term: 6, vote: 3 },
    snapshot: { index: 20, term: 5, configuration: { voters: [1, 2, 3] } },
    first: [21, 5, 500],
    last: [31, 6, 100],
  },
}

function contentOf({ restored }: OpenedGroup): unknown {
  const shown = (at: number): unknown => {
    const entry = restored.entries.at(at)
    if (entry === undefined) return undefined
    expect(entry.data.every((byte) => byte === entry.index)).toBe(true)
    return [entry.index, entry.term, entry.data.length]
  }
  const { hardState, snapshot } = restored
  return { hardState, snapshot, first: shown(0), last: shown(-1) }
}

function versionsOf(files: ReadonlyMap<string, Buffer>): number[] {
  return [...files]
    .filter(([path]) => path.endsWith('.log'))
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, bytes]) => bytes.readUInt32LE(8))
}

describe.each(folders)('a folder of format version 1: %s', (folder) => {
  test('is opened as group 1 and goes on in version 2, in a segment of its own', async () => {
    const before = filesOf(folder)
    const disk = new FaultDisk(before)
    const node = await open(disk)
    const group = ownGroup(node)
    expect(node.created).toBe(false)
    expect(contentOf(group)).toEqual(contents[folder])
    expect(group.restored.initialConfiguration).toEqual(version1Configuration)
    const versions = versionsOf(disk.files())
    expect(versions).toEqual([...versionsOf(before), 2])
    const index = (group.restored.entries.at(-1)?.index ?? 0) + 1
    const data = new Uint8Array(7).fill(index)
    await group.storage.append({
      hardState: { term: 9, vote: 2 },
      entries: [{ index, term: 9, kind: 'command', data }],
    })
    await node.createGroup(2, { voters: [5] })
    await node.close()

    const again = await open(new FaultDisk(disk.files()), {})
    expect([...again.groups.keys()]).toEqual([1, 2])
    const { restored } = again.groups.get(1) as OpenedGroup
    expect(restored.hardState).toEqual({ term: 9, vote: 2 })
    expect(restored.entries.at(-1)).toEqual({ index, term: 9, kind: 'command', data: Buffer.from(data) })
    expect(restored.initialConfiguration, 'it is kept from now on').toEqual(version1Configuration)
  })

  test('survives a crash at any point of its first opening', async () => {
    for (const losesUnsynced of [false, true]) {
      for (let atOperation = 1; ; atOperation++) {
        const disk = new FaultDisk(filesOf(folder))
        disk.crash = { atOperation, tear: tearSectors(0x5a5a5a5a), losesUnsynced }
        const opening = open(disk).then(() => 'opened')
        const turns = Array.from({ length: 400 }).reduce<Promise<void>>(
          (before) => before.then(() => new Promise((resolve) => setImmediate(resolve))),
          Promise.resolve(),
        )
        const result = await Promise.race([opening, turns.then(() => 'dead')])
        const after = await open(new FaultDisk(disk.afterCrash()))
        expect(contentOf(ownGroup(after)), `after operation ${atOperation}`).toEqual(contents[folder])
        expect(after.groups.get(1)?.restored.initialConfiguration).toEqual(version1Configuration)
        const reader = await after.groups.get(1)?.storage.openSnapshot()
        expect(reader === undefined).toBe(folder !== 'version-1-snapshot')
        if (result === 'opened') {
          expect(atOperation).toBeGreaterThan(5)
          break
        }
      }
    }
  })
})

test('without being told, the group does not know its initial configuration, until a start tells it', async () => {
  const disk = new FaultDisk(filesOf('version-1-log'))
  const first = await open(disk, {})
  expect(ownGroup(first).restored.initialConfiguration).toEqual({ voters: [] })
  await first.close()
  const second = await open(new FaultDisk(disk.files()))
  expect(ownGroup(second).restored.initialConfiguration).toEqual(version1Configuration)
})

test('the snapshots move into the folder of group 1, and its segments are removed when they are not needed', async () => {
  const disk = new FaultDisk(filesOf('version-1-snapshot'))
  const node = await open(disk)
  const snapshots = [...disk.names.keys()].filter((path) => path.endsWith('.snap'))
  expect(snapshots).toEqual(['node/groups/1/snapshot-0000000000000020-0000000000000005.snap'])
  const { storage } = ownGroup(node)
  await storage.saveSnapshot({ index: 31, term: 6, configuration: { voters: [1] } }, [])
  await storage.compact(31)
  expect(versionsOf(disk.files())).toEqual([2])
  await node.close()
  const { restored } = ownGroup(await open(new FaultDisk(disk.files())))
  expect(restored.snapshot?.index).toBe(31)
  expect(restored.hardState).toEqual({ term: 6, vote: 3 })
})

test('any flipped bit in the records of version 1 is found', async () => {
  const files = filesOf('version-1-log')
  const path = 'node/wal-0000000001.log'
  const whole = files.get(path) as Buffer
  const { offset } = scanRecords(whole, 1024, 0, () => {})
  for (let bit = 0; bit < 8 * offset; bit += 3) {
    const damaged = Buffer.from(whole)
    damaged[bit >> 3] = (damaged[bit >> 3] as number) ^ (1 << (bit & 7))
    const other = new FaultDisk(new Map(files).set(path, damaged))
    await expect(open(other), `bit ${bit}`).rejects.toMatchObject({ code: 'corrupt' })
  }
})

test('a torn end of version 1 is cut', async () => {
  const files = filesOf('version-1-log')
  const path = 'node/wal-0000000001.log'
  const whole = files.get(path) as Buffer
  const at: number[] = []
  scanRecords(whole, 1024, 0, ({ offset }) => at.push(offset))
  whole.fill(0, (at.at(-1) as number) + 20)
  const disk = new FaultDisk(files)
  const { restored } = ownGroup(await open(disk))
  expect(restored.hardState).toEqual({ term: 3, vote: 2 })
  expect(restored.entries.map(({ index, term }) => [index, term])).toEqual([
    [1, 3],
    [2, 3],
    [3, 3],
  ])
  expect([...disk.names.keys()].some((name) => name.endsWith('.broken'))).toBe(true)
})
