// A node whose files are damaged, cut short, or cannot grow: it stops and says why, changes nothing, and the others serve on.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { closeSync, openSync, readdirSync, readFileSync, readSync, statSync, writeSync } from 'node:fs'
import { join, relative } from 'node:path'
import { type Althing, open } from 'althing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { markOffset, recordsOffset } from '../../src/replication/wal/segment-header.ts'
import { killAllChildren } from './support/child.ts'
import { eventually } from './support/eventually.ts'
import { type ClusterMember, clusterName, NodeCluster, world } from './support/node-cluster.ts'
import { ownCopy } from './support/own-copy.ts'
import { removeScratchFolders } from './support/scratch-folder.ts'

/** Past this many bytes of entries a node takes a snapshot by itself. */
const snapshotDueBytes = 64 * 1024 * 1024
const valueBytes = 900 * 1024

let cluster: NodeCluster
let althing: Althing
let writes = 0

beforeAll(async () => {
  cluster = await NodeCluster.start(3)
  althing = await open(cluster.url, { world, clusterId: clusterName, timeout: '30s' })
  for (let i = 0; i < 50; i++) await writeOne()
})

afterAll(async () => {
  await althing?.close()
  await killAllChildren()
  removeScratchFolders()
})

async function writeOne(): Promise<void> {
  writes += 1
  await althing.store.put(`written/${writes % 50}`, writes)
}

async function expectOthersServe(missing: ClusterMember): Promise<void> {
  for (const member of cluster.members) {
    if (member !== missing) expect(member.process.isRunning, member.process.errors).toBe(true)
  }
  await writeOne()
  expect((await althing.store.get(`written/${writes % 50}`))?.value).toBe(writes)
}

/** The node is in the cluster again, and has what the others have. */
async function expectRejoined(member: ClusterMember): Promise<void> {
  await member.ready()
  await writeOne()
  await eventually(`node ${member.id} has the newest write`, async () => {
    const kvs = await ownCopy(member, `written/${writes % 50}`)
    return kvs.some(({ value }) => Buffer.from(value).toString() === String(writes))
  })
}

/** Those of the node's files whose path within the store's folder matches. Its locks are sockets, and no files. */
const files = (member: ClusterMember, pattern: RegExp): string[] =>
  readdirSync(member.storeFolder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => pattern.test(relative(member.storeFolder, file)))
    .sort()

/**
 * Of every file of the store, those of its groups too: name and content. Of a segment all but its mark, which every start sets anew: it says
 * behind which offset nobody need look for records, and holds none.
 */
function fingerprint(member: ClusterMember): readonly string[] {
  return files(member, /./).map((file) => {
    const bytes = readFileSync(file)
    if (/wal-\d+\.log$/.test(file)) bytes.fill(0, markOffset, recordsOffset)
    return `${file} ${createHash('sha256').update(bytes).digest('hex')}`
  })
}

function flipBit(file: string, offset: number): void {
  const byte = Buffer.alloc(1)
  const descriptor = openSync(file, 'r+')
  readSync(descriptor, byte, 0, 1, offset)
  byte[0] = (byte[0] as number) ^ 0x10
  writeSync(descriptor, byte, 0, 1, offset)
  closeSync(descriptor)
}

/** Offset of the last byte of a file that is not zero: of a log, the end of its last record. */
function lastByte(file: string): number {
  const bytes = readFileSync(file)
  let at = bytes.length - 1
  while (bytes[at] === 0) at -= 1
  return at
}

/** With one bit of the file flipped the node does not start. Nothing was lost by the refusal: with the bit as it was, the node goes on. */
async function expectNoHarmByFlippedBit(member: ClusterMember, file: string, offset: number): Promise<void> {
  flipBit(file, offset)
  try {
    await expectRefusesToStart(member, file)
  } finally {
    flipBit(file, offset)
    member.start()
  }
  await expectRejoined(member)
}

async function expectRefusesToStart(member: ClusterMember, file: string): Promise<void> {
  const before = fingerprint(member)
  const process = member.start()
  expect(await process.ending()).toEqual({ code: 1, signal: null })
  expect(process.errors).toContain(file.slice(member.dataFolder.length + 1))
  expect(process.errors).toMatch(/offset \d+/)
  expect(process.errors).toContain('[corrupt]')
  expect(fingerprint(member)).toEqual(before)
  await expectOthersServe(member)
}

test('a torn last record is cut, with a copy kept, and the node catches up', async () => {
  const member = await cluster.follower()
  await member.kill()
  const log = files(member, /^wal-.*\.log$/).at(-1) as string
  // The beginning of a record that was never acknowledged: the power went off within its header.
  const nextRecord = Math.ceil((lastByte(log) + 1) / 16) * 16
  const descriptor = openSync(log, 'r+')
  writeSync(descriptor, Buffer.alloc(10, 0x5a), 0, 10, nextRecord)
  closeSync(descriptor)
  member.start()
  await expectRejoined(member)
  expect(files(member, /^wal-.*\.broken$/)).toHaveLength(1)
  const cut = member.process.log.filter(({ msg }) => String(msg).includes('incomplete record'))
  expect(cut).toHaveLength(1)
  expect(cut[0]).toMatchObject({ file: expect.stringContaining('wal-'), offset: expect.any(Number) })
})

test('a node whose files cannot grow stops and names the failed write; given room, it comes back', async () => {
  const member = await cluster.follower()
  const { process } = member
  // To a write the bound on the size of a file is what a full disk is: it fails, and no later one may be believed.
  execFileSync('prlimit', ['--pid', String(process.pid), '--fsize=1024:1024'])
  await writeOne()
  expect(await process.ending()).toEqual({ code: 1, signal: null })
  expect(process.errors).toContain('[node-failed]')
  expect(process.errors).toMatch(/a write to store failed \(.*EFBIG/)
  await expectOthersServe(member)
  member.start()
  await expectRejoined(member)
})

// Last, because it makes the nodes' state large.
describe('a flipped bit', () => {
  test('in the middle of the log stops the node with file and offset; it harms nothing, and nothing is deleted', async () => {
    const member = await cluster.follower()
    await member.stop()
    const [log = ''] = files(member, /^wal-.*\.log$/)
    await expectNoHarmByFlippedBit(member, log, Math.floor((recordsOffset + lastByte(log)) / 2))
  })

  test('in a snapshot does the same', async () => {
    const member = await cluster.follower()
    const value = 'v'.repeat(valueBytes)
    for (let written = 0; written < snapshotDueBytes + valueBytes; written += valueBytes)
      await althing.store.put(`large/${written}`, value)
    const snapshot = await eventually('a snapshot', () => files(member, /^groups\/1\/snapshot-.*\.snap$/)[0])
    await member.stop()
    await expectNoHarmByFlippedBit(member, snapshot, Math.floor(statSync(snapshot).size / 2))
  })
})
