// From the release before this one to this one, node by node, under load: what it wrote is read, what it says is understood.
import { pathToFileURL } from 'node:url'
import { type Althing, open } from 'althing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Load } from './fire/load.ts'
import { killAllChildren } from './support/child.ts'
import { eventually } from './support/eventually.ts'
import { becomesVoter, invite } from './support/joining.ts'
import { clusterName, NodeCluster, world } from './support/node-cluster.ts'
import { operator } from './support/operator.ts'
import { buildPreviousRelease, type PreviousRelease } from './support/previous-release.ts'
import { removeScratchFolders, scratchFolder } from './support/scratch-folder.ts'

const previous = await buildPreviousRelease(scratchFolder('previous'))
afterAll(async () => {
  await killAllChildren()
  removeScratchFolders()
})

if ('missing' in previous)
  test('a cluster of the previous release is upgraded', ({ skip }) => skip(previous.missing))
else describe('a cluster of the previous release', () => upgrade(previous))

function upgrade({ command: script, entry }: PreviousRelease): void {
  const kept = 200
  let cluster: NodeCluster
  let load: Load
  let holder: Althing

  beforeAll(async () => {
    const old = (await import(pathToFileURL(entry).href)) as { readonly open: typeof open }
    cluster = await NodeCluster.start(3, { script })
    holder = await old.open(cluster.url, { world, clusterId: clusterName })
    for (let i = 0; i < kept; i++) await holder.store.put(`kept/${i}`, { i })
    load = await Load.start(cluster, [old.open, old.open, open, open])
  })

  test('becomes one of this release node by node, while clients of both write and a lock is held', async () => {
    const lock = await holder.locks.acquire('held', { ttl: '10s' })
    for (const member of cluster.members) {
      await load.served(50)
      await member.stop()
      member.start()
      await member.ready()
      expect(lock.isHeld).toBe(true)
    }
    await load.served(50)
    await load.judge()
    expect(lock.isHeld).toBe(true)
    const other = await open(cluster.url, { world, clusterId: clusterName })
    expect((await other.locks.explain('held')).holder?.token).toBe(lock.token)
    await lock.release()
    for (let i = 0; i < kept; i++) expect((await other.store.get(`kept/${i}`))?.value).toEqual({ i })
    await other.close()
    await holder.close()
  })

  test('has groups and members that come and go from then on', async () => {
    expect(await operator(cluster, 'group', 'create', 'new')).toMatchObject({ isServing: true })
    const althing = await open(`${cluster.url}/new`, { world, clusterId: clusterName })
    await althing.store.put('a', 1)
    const joined = await invite(cluster, 'add')
    await becomesVoter(cluster, joined)
    const old = await cluster.follower()
    expect(await operator(cluster, 'member', 'remove', String(old.id))).toMatchObject({ isRemoved: true })
    cluster.takeOut(old)
    await eventually('the group serves', async () => (await althing.store.get('a'))?.value === 1)
    await althing.close()
  })
}
