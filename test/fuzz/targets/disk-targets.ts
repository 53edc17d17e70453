import { isDeepStrictEqual } from 'node:util'
import { readSnapshot } from '../../../src/models/store/snapshot-reader.ts'
import { writeSnapshot } from '../../../src/models/store/snapshot.ts'
import { StoreModel } from '../../../src/models/store/store-model.ts'
import { encodeEntry } from '../../../src/replication/entry-codec.ts'
import { readItems, type Item, itemBytes, writeItem } from '../../../src/replication/wal/items.ts'
import type { Entry } from '../../../src/protocols/raft/types.ts'
import { codecTarget, type FuzzTarget, PropertyViolation, refusal } from '../fuzz-target.ts'
import { edited, sampleEdits } from '../edits.ts'
import { MemoryDisk } from '../memory-disk.ts'
import { backupTargets } from './backup-targets.ts'
import { worldWith } from './disk-world.ts'
import { type FolderContent, fillFolder, type GroupContent, readFolder } from './node-folder.ts'
import { filledModel } from './filled-model.ts'
import { sampleEntries } from './samples.ts'

/** Log files: what is in a record, and a node's whole folder with one of its files changed. */
export async function logTargets(): Promise<FuzzTarget[]> {
  return [...items(), await folder('log-folder', 'log', 0.5, (path) => !isSnapshot(path))]
}

/** Snapshot files, and the state of the store that they carry. */
export async function snapshotTargets(): Promise<FuzzTarget[]> {
  return [storeSnapshot(), await folder('snapshot-file', 'snapshot', 0.5, isSnapshot), ...backupTargets()]
}

function isSnapshot(path: string): boolean {
  return /snap/.test(path)
}

const initialConfiguration = { voters: [1, 2, 3], learners: [4], addresses: { 1: 'a:1', 2: 'b:1' } }

const itemGroups: readonly (readonly Item[])[] = [
  [{ type: 'hardState', group: 1, hardState: { term: 7, vote: 2 } }],
  [
    { type: 'reset', group: 2, index: 40, term: 6 },
    { type: 'created', group: 3, initialConfiguration },
    { type: 'removed', group: 3 },
  ],
  [
    {
      type: 'group',
      group: 1,
      start: { nextIndex: 9, hardState: { term: 3, vote: 1 }, initialConfiguration },
    },
    { type: 'group', group: 7, start: { nextIndex: 1, hardState: { term: 0, vote: 0 } } },
    { type: 'gone', group: 3, last: 5 },
    {
      type: 'retired',
      group: 8,
      kept: { hardState: { term: 4, vote: 2 }, last: { index: 2 ** 40, term: 3 } },
    },
  ],
  sampleEntries.map((entry): Item => ({ type: 'entry', group: 2, entry })),
]

function items(): FuzzTarget[] {
  const target = codecTarget({
    name: 'log-record',
    area: 'log',
    share: 10,
    values: itemGroups,
    encode: (values) => {
      const bytes = Buffer.alloc(values.reduce((sum, item) => sum + itemBytes(item), 0))
      values.reduce((offset, item) => writeItem(bytes, offset, item), 0)
      return bytes
    },
    decode: (bytes) => readItems(bytes, 2),
    kindOf: kindsOf,
  })
  return [target, itemsOfVersion1()]
}

function kindsOf(values: readonly Item[]): string {
  return [...new Set(values.map(({ type }) => type))].join(' ')
}

/** Written no more, but read: what was one group's is group 1's. */
function itemsOfVersion1(): FuzzTarget {
  const run = (input: Buffer): string => {
    try {
      const found = readItems(input, 1)
      const stranger = found.find(({ group }) => group !== 1)
      if (stranger !== undefined)
        throw new PropertyViolation('version 1', `an item of group ${stranger.group}`)
      return `accepted ${kindsOf(found)}`
    } catch (error) {
      return refusal(error, ['corrupt'])
    }
  }
  const pair = Buffer.alloc(17)
  pair[0] = 1
  pair[1] = 7
  const reset = Buffer.from(pair)
  reset[0] = 3
  const entries = sampleEntries.map((entry) => {
    const bytes = encodeEntry(entry)
    const head = Buffer.alloc(5)
    head[0] = 2
    head.writeUInt32LE(bytes.byteLength, 1)
    return Buffer.concat([head, bytes])
  })
  const seeds = [pair, reset, Buffer.concat([pair, ...entries])]
  return { name: 'log-record-1', area: 'log', share: 4, seeds, inputBytesMax: 4_096, run }
}

/**
 * A node's folder after a part of one file was changed: it opens with all that was in it, or, where the end of the log has been cut or overwritten as a crash
 * would leave it, with the beginning of that; or it is refused. Never with anything else.
 */
async function folder(
  name: string,
  area: 'log' | 'snapshot',
  share: number,
  isEligible: (path: string) => boolean,
): Promise<FuzzTarget> {
  const image = await fillFolder(new MemoryDisk())
  const whole = await readFolder(worldWith(new MemoryDisk(image)))
  const paths = [...image.keys()].filter(isEligible).sort()
  if (paths.length === 0) throw new PropertyViolation('samples', `${name}: the folder has no such file`)
  const run = async (input: Buffer): Promise<string> => {
    const path = paths[(input[0] ?? 0) % paths.length] as string
    const disk = new MemoryDisk(image)
    disk.put(path, edited(image.get(path) as Buffer, input.subarray(1)))
    try {
      const found = await readFolder(worldWith(disk))
      return `accepted ${judge(found, whole)}`
    } catch (error) {
      return refusal(error, ['corrupt', 'conflict', 'not-found', 'incompatible-peer'])
    }
  }
  const seeds = sampleEdits().map((edits, i) => Buffer.concat([Buffer.from([i]), edits]))
  return { name, area, share, seeds, inputBytesMax: 512, run }
}

function judge(found: FolderContent, whole: FolderContent): string {
  let isWhole = found.size === whole.size
  for (const [id, group] of found) {
    const written = whole.get(id)
    if (written === undefined) throw new PropertyViolation('checksum', `there never was a group ${id}`)
    judgeGroup(group, written)
    isWhole &&= group.entries.length === written.entries.length && group.snapshot === written.snapshot
  }
  return isWhole ? 'whole' : 'cut'
}

function judgeGroup(found: GroupContent, written: GroupContent): void {
  const known = new Map(written.entries.map((entry) => [entry.index, entry]))
  for (const entry of found.entries) {
    if (!isDeepStrictEqual(plain(entry), plain(known.get(entry.index))))
      throw new PropertyViolation('checksum', `entry ${entry.index} is not what was written`)
  }
  if (!isDeepStrictEqual(found.votingFloor, written.votingFloor))
    throw new PropertyViolation('checksum', 'what an earlier copy has left is not what was written')
  if (found.snapshot !== undefined && found.snapshot !== written.snapshot)
    throw new PropertyViolation('checksum', 'the snapshot is not what was written')
}

function plain(entry: Entry | undefined): unknown {
  return entry && { ...entry, data: Buffer.from(entry.data).toString('latin1') }
}

function storeSnapshot(): FuzzTarget {
  const seeds = [new StoreModel(), filledModel()].map((model) => Buffer.concat([...model.snapshot()]))
  const run = (input: Buffer): string => {
    try {
      const bytes = Buffer.concat([...writeSnapshot(readSnapshot([input]))])
      const again = Buffer.concat([...writeSnapshot(readSnapshot([bytes]))])
      if (!again.equals(bytes))
        throw new PropertyViolation('round-trip', 'a state reads differently once written anew')
      const model = new StoreModel()
      model.restore([input])
      return `accepted ${Math.min(model.stats.keys, 3)}`
    } catch (error) {
      return refusal(error, ['corrupt'])
    }
  }
  return { name: 'store-snapshot', area: 'snapshot', share: 4, seeds, inputBytesMax: 8_192, run }
}
