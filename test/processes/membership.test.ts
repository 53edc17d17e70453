// Members that come and go under load: real processes, the real commands, and a history that is judged afterwards.
import { rmSync } from 'node:fs'
import { type Althing, open } from 'althing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Load } from './fire/load.ts'
import { killAllChildren } from './support/child.ts'
import { eventually } from './support/eventually.ts'
import { becomesVoter, endsAsRemoved, invite } from './support/joining.ts'
import { type ClusterMember, clusterName, NodeCluster, world } from './support/node-cluster.ts'
import { operator } from './support/operator.ts'
import { removeScratchFolders } from './support/scratch-folder.ts'

const clients = [open, open, open, open]

afterAll(async () => {
  await killAllChildren()
  removeScratchFolders()
})

async function restart(member: ClusterMember): Promise<void> {
  await member.kill()
  member.start()
  await member.ready()
}

interface ListedMember {
  readonly id: number
  readonly role: string
  readonly isAnswering: boolean
}

/** As `althing member list` has them. */
async function voters(cluster: NodeCluster): Promise<number[]> {
  const { members } = await operator(cluster, 'member', 'list')
  const listed = members as readonly ListedMember[]
  expect(listed.filter(({ role }) => role === 'learner')).toEqual([])
  return listed.filter(({ role }) => role === 'voter').map(({ id }) => id)
}

describe('a cluster under load', () => {
  test('grows, loses its leader to a removal, replaces a killed node, and stays linearizable', async () => {
    const cluster = await NodeCluster.start(3)
    const load = await Load.start(cluster, clients)
    await load.served(20)

    const joined = [await invite(cluster, 'add'), await invite(cluster, 'add')]
    // Whoever works at the change dies; another goes on with it.
    await restart(await cluster.leader())
    for (const member of joined) await becomesVoter(cluster, member)
    await cluster.ready()
    expect(cluster.members.map(({ id }) => id)).toEqual([1, 2, 3, 4, 5])

    const leader = await cluster.leader()
    expect(await operator(cluster, 'member', 'remove', String(leader.id))).toEqual({
      id: leader.id,
      isRemoved: true,
    })
    await endsAsRemoved(leader)
    leader.start()
    await endsAsRemoved(leader)
    cluster.takeOut(leader)

    const dead = await cluster.follower()
    await dead.kill()
    const heir = await eventually('it is missed', () => invite(cluster, 'replace', String(dead.id)))
    cluster.takeOut(dead)
    await becomesVoter(cluster, heir)
    expect(await voters(cluster)).toEqual(cluster.members.map(({ id }) => id))

    await load.judge()
    await cluster.stop()
  })

  test('is drained and restarted node by node without an error for anybody', async () => {
    const cluster = await NodeCluster.start(3)
    const load = await Load.start(cluster, clients)
    for (const member of cluster.members) {
      await load.served(20)
      const { leading } = await operator(cluster, 'drain', String(member.id))
      expect(leading).toBe(0)
      expect(await cluster.leader()).not.toBe(member)
      await member.stop()
      member.start()
      await member.ready()
    }
    await load.judge()
    await cluster.stop()
  })
})

describe('a member', () => {
  let cluster: NodeCluster
  let althing: Althing

  beforeAll(async () => {
    cluster = await NodeCluster.start(3)
    althing = await open(cluster.url, { world, clusterId: clusterName })
    await althing.store.put('a', 1)
  })

  afterAll(async () => {
    await althing.close()
    await cluster.stop()
  })

  test('does not come in with a token that another has used', async () => {
    const { id, token } = await operator(cluster, 'member', 'add')
    const first = await cluster.join(Number(id), String(token))
    await becomesVoter(cluster, first)
    const twin = await cluster.join(Number(id), String(token))
    cluster.takeOut(twin)
    expect((await twin.process.ending()).code).toBe(1)
    expect(twin.process.errors).toMatch(/was used already|another data folder than the one the cluster knows/)
    await first.ready()
  })

  test('that comes back with an emptied disk is refused, and says what to do', async () => {
    const wiped = await cluster.follower()
    await wiped.kill()
    rmSync(wiped.dataFolder, { recursive: true, force: true })
    wiped.start()
    await endsAsRemoved(wiped)
    expect(wiped.process.errors).toContain(`althing member replace ${wiped.id}`)
    await althing.store.put('a', 2)
    expect((await althing.store.get('a'))?.value).toBe(2)
  })

  test('is not removed while another is missing, unless that is forced', async () => {
    const healthy = await cluster.leader()
    const down = cluster.members.find(({ process }) => !process.isRunning) as ClusterMember
    await eventually('it is missed', async () => {
      const { members } = await operator(cluster, 'member', 'list')
      return (members as readonly ListedMember[]).some(
        ({ id, isAnswering }) => id === down.id && !isAnswering,
      )
    })
    const refusal = await operator(cluster, 'member', 'remove', String(healthy.id)).catch(String)
    expect(refusal).toContain('--force')
    expect(refusal).toContain(`node ${down.id}`)
    expect(await operator(cluster, 'member', 'remove', String(healthy.id), '--force')).toMatchObject({
      isRemoved: true,
    })
    cluster.takeOut(healthy)
    // The missing one itself may go: that makes nothing worse.
    expect(await operator(cluster, 'member', 'remove', String(down.id))).toMatchObject({ isRemoved: true })
    cluster.takeOut(down)
    await althing.store.put('a', 3)
    expect(await voters(cluster)).toEqual(cluster.members.map(({ id }) => id))
  })
})
