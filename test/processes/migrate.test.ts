// Moving house: a store that is written to all the time, to another cluster, by a command that is killed again and again.
import { type Althing, open } from 'althing'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Child, command, killAllChildren } from './support/child.ts'
import { clusterName, NodeCluster, world } from './support/node-cluster.ts'
import { removeScratchFolders } from './support/scratch-folder.ts'

let old: NodeCluster
let fresh: NodeCluster

beforeAll(async () => {
  old = await NodeCluster.start(3)
  fresh = await NodeCluster.start(1)
})

afterAll(async () => {
  await killAllChildren()
  removeScratchFolders()
})

const openOne = ({ url }: NodeCluster): Promise<Althing> => open(url, { world, clusterId: clusterName })
const migrate = (...options: string[]): Child =>
  Child.script(command, ['migrate', old.url, fresh.url, '--json', ...options])
const pause = (ms: number): Promise<void> => new Promise((resolve) => world.timers.after(ms, resolve))

/** Puts and deletes, a few hundred keys, until told to stop. */
async function write(store: Althing['store'], isStopped: () => boolean): Promise<number> {
  let count = 0
  for (; !isStopped(); count++) {
    await store.put(`k${count % 300}`, count)
    if (count % 7 === 0) await store.delete(`k${(count * 13) % 300}`)
  }
  return count
}

async function content(store: Althing['store']): Promise<Record<string, unknown>> {
  const { items } = await store.list('k')
  return Object.fromEntries(items.map(({ key, value }) => [key, value]))
}

test('nothing is lost and nothing comes back, wherever the command was killed', async () => {
  const from = await openOne(old)
  const to = await openOne(fresh)
  for (let n = 0; n < 3_000; n++) await from.store.put(`kept/${n}`, n)
  let isStopped = false
  const writing = write(from.store, () => isStopped)
  for (const ms of [300, 500, 700, 900, 1_300, 2_500]) {
    const run = migrate()
    await pause(ms)
    run.signal('SIGKILL')
    await run.ended
  }
  isStopped = true
  expect(await writing).toBeGreaterThan(500)
  const last = migrate('--cut-over')
  expect(await last.ended).toMatchObject({ code: 0 })
  const report = JSON.parse(last.lines.at(-1) ?? '') as {
    keys: number
    revision: number
    newRevision: number
  }
  const moved = await content(from.store)
  expect(await content(to.store)).toEqual(moved)
  expect(report.keys).toBe(Object.keys(moved).length)
  expect(report.newRevision).toBeGreaterThan(report.revision)
  await from.close()
  await to.close()
})
