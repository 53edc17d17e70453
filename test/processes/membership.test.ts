// Members and groups that come and go under load: real processes, the real commands, and a history that is judged afterwards.
import { rmSync } from 'node:fs'
import { open, textCodec, TypedStore } from 'althing'
import { type GroupStatus, NodeClient } from 'althing/engines'
import { checkLinearizability, versionedKvModel } from 'althing/testing/checkers'
import { HistoryRecorder } from 'althing/testing/history'
import { afterAll, describe, expect, test } from 'vitest'
import { OutageMeter } from './fire/outages.ts'
import { FireClient, ledgerPrefix, readShared, sharedKeys } from './fire/recorded-client.ts'
import { killAllChildren } from './support/child.ts'
import { eventually, pause } from './support/eventually.ts'
import { type ClusterMember, clusterName, NodeCluster, world } from './support/node-cluster.ts'
import { operator } from './support/operator.ts'
import { ownCopy } from './support/own-copy.ts'
import { removeScratchFolders } from './support/scratch-folder.ts'

const clients = 5
const judgeWithinMs = 120_000

afterAll(async () => {
  await killAllChildren()
  removeScratchFolders()
})

/** Clients that write and read all the while, and the word on what they saw. */
class Load {
  readonly history = new HistoryRecorder(world.clock)
  readonly #ledger = new Map<string, number>()
  readonly #players: readonly FireClient[]
  readonly #cluster: NodeCluster

  constructor(cluster: NodeCluster) {
    this.#cluster = cluster
    const shared = {
      url: cluster.url,
      history: this.history,
      outages: new OutageMeter(),
      ledger: this.#ledger,
    }
    this.#players = Array.from(
      { length: clients },
      (_, i) => new FireClient({ ...shared, name: `c${i + 1}` }),
    )
  }

  async start(): Promise<void> {
    await Promise.all(this.#players.map((player) => player.start()))
  }

  /** Stops, and judges: nothing acknowledged may be lost, and the history must be linearizable. */
  async judge(): Promise<void> {
    await Promise.all(this.#players.map((player) => player.stop()))
    const surprises = this.#players.flatMap((player) => player.surprises)
    expect(surprises, 'failures that no fault explains').toEqual([])
    await this.#readAll()
    const result = checkLinearizability(versionedKvModel(), this.history.operations(), {
      clock: world.clock,
      timeLimitMs: judgeWithinMs,
    })
    expect(result.verdict, result.violation?.message ?? result.reason).toBe('ok')
    const leader = await (await this.#cluster.leader()).ready()
    for (const member of this.#cluster.members) {
      await eventually(`node ${member.id} has caught up`, async () => {
        const status = await member.status()
        return status !== undefined && status.revision >= leader.revision
      })
      const copy = new Map((await ownCopy(member, ledgerPrefix)).map((kv) => [kv.key, kv.modRevision]))
      const lost = [...this.#ledger].filter(([key, revision]) => copy.get(key) !== revision)
      expect(lost, `acknowledged writes that node ${member.id} lacks`).toEqual([])
    }
    expect(this.#ledger.size).toBeGreaterThan(100)
  }

  async #readAll(): Promise<void> {
    const althing = await open(this.#cluster.url, { world, clusterId: clusterName })
    const reader = this.history.client('last')
    const store = new TypedStore(althing.raw).as(textCodec)
    for (const key of sharedKeys) await readShared(reader, store, key)
    await althing.close()
  }
}

async function invite(cluster: NodeCluster, ...args: readonly string[]): Promise<ClusterMember> {
  const { id, token } = await operator(cluster, 'member', ...args)
  return cluster.join(Number(id), String(token))
}

async function becomesVoter(cluster: NodeCluster, { id }: ClusterMember): Promise<void> {
  await eventually(`node ${id} votes`, async () => {
    const status = await (await cluster.presentLeader())?.status()
    return status?.members.some((member) => member.id === id && member.isVoter)
  })
}

async function endsAsRemoved(member: ClusterMember): Promise<void> {
  expect((await member.process.ending()).code).toBe(1)
  expect(member.process.errors).toContain('[not-member]')
}

async function groupsOn(member: ClusterMember): Promise<readonly GroupStatus[]> {
  const client = await NodeClient.open(world, member.address, { clusterId: clusterName })
  try {
    return (await client.operate('node.groups')) as unknown as readonly GroupStatus[]
  } finally {
    client.close()
  }
}

describe('a cluster under load', () => {
  test('grows, loses its leader to a removal, and replaces a killed node, and stays linearizable', async () => {
    const cluster = await NodeCluster.start(3)
    const load = new Load(cluster)
    await load.start()
    await pause(1_000)

    for (const joined of [await invite(cluster, 'add'), await invite(cluster, 'add')])
      await becomesVoter(cluster, joined)
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
    await pause(3_000)
    const heir = await invite(cluster, 'replace', String(dead.id))
    cluster.takeOut(dead)
    await becomesVoter(cluster, heir)
    const { members } = await operator(cluster, 'member', 'list')
    const roles = (members as readonly { id: number; role: string }[]).filter(({ role }) => role !== 'none')
    expect(roles.map(({ id }) => id)).toEqual(cluster.members.map(({ id }) => id))
    expect(roles.every(({ role }) => role === 'voter')).toBe(true)

    await load.judge()
    await cluster.stop()
  })

  test('creates and removes groups, whose leaders are spread, while it serves', async () => {
    const cluster = await NodeCluster.start(3)
    const load = new Load(cluster)
    await load.start()
    const names = Array.from({ length: 6 }, (_, i) => `shard-${i}`)
    for (const name of names)
      expect(await operator(cluster, 'group', 'create', name)).toMatchObject({ isServing: true })
    const stores = await Promise.all(names.map((name) => open(`${cluster.url}/${name}`, { world })))
    for (const [i, althing] of stores.entries()) await althing.store.put('who', i)

    await eventually('each node leads two of the six', async () => {
      const all = await Promise.all(cluster.members.map((member) => groupsOn(member)))
      const leading = all.map(
        (groups) => groups.filter(({ id, role }) => id !== 1 && role === 'leader').length,
      )
      return leading.every((count) => count === 2)
    })
    const victim = await cluster.follower()
    await victim.kill()
    for (const [i, althing] of stores.entries())
      await eventually(`${names[i]} serves without node ${victim.id}`, async () => {
        await althing.store.put('still', i)
        return true
      })
    victim.start()
    await victim.ready()

    for (const name of names.slice(0, 3)) await operator(cluster, 'group', 'remove', name)
    await eventually('the removed groups are gone from every node', async () => {
      const all = await Promise.all(cluster.members.map((member) => groupsOn(member)))
      return all.every((groups) => groups.length === 4)
    })
    for (const [i, althing] of stores.entries()) {
      if (i < 3) await expect(althing.store.get('who')).rejects.toMatchObject({ code: 'not-found' })
      else expect((await althing.store.get('who'))?.value).toBe(i)
      await althing.close()
    }
    await load.judge()
    await cluster.stop()
  })

  test('is restarted node by node without an error for anybody', async () => {
    const cluster = await NodeCluster.start(3)
    const load = new Load(cluster)
    await load.start()
    for (const member of cluster.members) {
      await pause(500)
      await member.stop()
      member.start()
      await member.ready()
    }
    await load.judge()
    await cluster.stop()
  })
})

describe('a member', () => {
  test('that comes back with an emptied disk is refused, and says what to do', async () => {
    const cluster = await NodeCluster.start(3)
    const althing = await open(cluster.url, { world, clusterId: clusterName })
    await althing.store.put('a', 1)
    // The others remember its folder from the moment they heard of it.
    await pause(2_000)
    const wiped = await cluster.follower()
    await wiped.kill()
    rmSync(wiped.dataFolder, { recursive: true, force: true })
    wiped.start()
    await endsAsRemoved(wiped)
    expect(wiped.process.errors).toContain(`althing member replace ${wiped.id}`)
    await althing.store.put('a', 2)
    expect((await althing.store.get('a'))?.value).toBe(2)
    await althing.close()
    await cluster.stop()
  })

  test('does not come in with a token that another has used', async () => {
    const cluster = await NodeCluster.start(3)
    const { id, token } = await operator(cluster, 'member', 'add')
    const first = await cluster.join(Number(id), String(token))
    await becomesVoter(cluster, first)
    const twin = await cluster.join(Number(id), String(token))
    cluster.takeOut(twin)
    expect((await twin.process.ending()).code).toBe(1)
    await cluster.stop()
  })

  test('is not removed when the cluster would be at risk, unless that is forced', async () => {
    const cluster = await NodeCluster.start(3)
    await cluster.leader()
    const [down, healthy] = [await cluster.follower(), await cluster.leader()]
    await down.kill()
    await eventually('it is missed', async () => {
      const refusal = await operator(cluster, 'member', 'remove', String(healthy.id)).catch(String)
      return String(refusal).includes('--force') && String(refusal).includes(`node ${down.id}`)
    })
    expect(await operator(cluster, 'member', 'remove', String(down.id))).toMatchObject({ isRemoved: true })
    await cluster.stop()
  })
})
