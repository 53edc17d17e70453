// Many stores in one cluster: groups that are made, spread, lost with a node, and removed while all serve.
import { type Althing, open } from 'althing'
import { type GroupStatus, NodeClient } from 'althing/engines'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Load } from './fire/load.ts'
import { killAllChildren } from './support/child.ts'
import { eventually } from './support/eventually.ts'
import { type ClusterMember, clusterName, NodeCluster, world } from './support/node-cluster.ts'
import { operator } from './support/operator.ts'
import { removeScratchFolders } from './support/scratch-folder.ts'

const names = Array.from({ length: 6 }, (_, i) => `shard-${i}`)
const removed = names.slice(0, 3)
const kept = names.slice(3)

let cluster: NodeCluster
let load: Load
const stores = new Map<string, Althing>()
const storeOf = (name: string): Althing => stores.get(name) as Althing

beforeAll(async () => {
  cluster = await NodeCluster.start(3)
  load = await Load.start(cluster, [open, open])
})

afterAll(async () => {
  await killAllChildren()
  removeScratchFolders()
})

/** The call that a command makes, without the start of a process for it. */
async function operate(member: ClusterMember, ...call: Parameters<NodeClient['operate']>): Promise<unknown> {
  const client = await NodeClient.open(world, member.address, { clusterId: clusterName, timeoutMs: 30_000 })
  try {
    return await client.operate(...call)
  } finally {
    client.close()
  }
}

const groupsOn = async (member: ClusterMember) =>
  (await operate(member, 'node.groups')) as readonly GroupStatus[]

/** How many of the groups, the cluster's own not counted, each of the nodes leads. */
async function leading(members: readonly ClusterMember[]): Promise<number[]> {
  const all = await Promise.all(members.map((member) => groupsOn(member)))
  return all.map((groups) => groups.filter(({ id, role }) => id !== 1 && role === 'leader').length)
}

describe('groups beside the store of a cluster that serves', () => {
  test('are made by a command, opened by name, and have nothing of each other', async () => {
    const [byCommand = '', ...byCall] = names
    expect(await operator(cluster, 'group', 'create', byCommand)).toMatchObject({ isServing: true })
    for (const name of byCall)
      expect(await operate(cluster.member(1), 'group.create', { name })).toMatchObject({ isServing: true })
    for (const [i, name] of names.entries()) {
      const althing = await open(`${cluster.url}/${name}`, { world, clusterId: clusterName })
      stores.set(name, althing)
      await althing.store.put('who', i)
    }
    for (const [i, name] of names.entries()) expect((await storeOf(name).store.get('who'))?.value).toBe(i)
    const again = await operator(cluster, 'group', 'create', 'shard-0').catch(String)
    expect(again).toContain('there is a group shard-0 already')
  })

  test('have their leaders spread over the nodes', async () => {
    await eventually('each node leads two of the six', async () => {
      return (await leading(cluster.members)).every((count) => count === 2)
    })
  })

  test('serve on when a node dies, and are spread again when it is back', async () => {
    const victim = await cluster.follower()
    const others = cluster.members.filter((member) => member !== victim)
    await victim.kill()
    for (const name of names) await storeOf(name).store.put('still', name)
    await eventually('the others lead three each', async () => {
      return (await leading(others)).every((count) => count === 3)
    })
    victim.start()
    await victim.ready()
    await eventually('each node leads two again', async () => {
      return (await leading(cluster.members)).every((count) => count === 2)
    })
  })

  test('are removed while they run: their copies go from every node, and the others stay', async () => {
    const [byCommand = '', ...byCall] = removed
    await operator(cluster, 'group', 'remove', byCommand)
    for (const name of byCall) await operate(cluster.member(1), 'group.remove', { name })
    await eventually('the removed groups are gone from every node', async () => {
      const all = await Promise.all(cluster.members.map((member) => groupsOn(member)))
      return all.every((groups) => groups.length === 1 + kept.length)
    })
    for (const name of removed)
      await expect(storeOf(name).store.get('who')).rejects.toMatchObject({ code: 'not-found' })
    for (const name of kept) expect((await storeOf(name).store.get('still'))?.value).toBe(name)
  })

  test('are all there after the end of every process at once', async () => {
    await Promise.all(cluster.members.map((member) => member.kill()))
    for (const member of cluster.members) member.start()
    await cluster.ready()
    for (const name of kept) {
      expect((await storeOf(name).store.get('still'))?.value).toBe(name)
      await storeOf(name).store.put('after', name)
    }
    await expect(storeOf('shard-0').store.get('who')).rejects.toMatchObject({ code: 'not-found' })
    await Promise.all([...stores.values()].map((althing) => althing.close()))
    await load.judge()
  })
})
