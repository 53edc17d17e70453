import { describe, expect, test } from 'vitest'
import { byteStringFromText } from '../../base/bytes.ts'
import type { World } from '../../contracts/world.ts'
import type { ClusterNodeOptions } from '../../engines/cluster/cluster-node.ts'
import { eventually, GrowingCluster, put, sleep } from '../../engines/cluster/growing-cluster.test-support.ts'
import { MemberClients } from '../http/member-clients.ts'
import type { Check, Finding } from './finding.ts'
import { HealthWatch } from './health-watch.ts'

const mib = 1024 * 1024

/** A simulated cluster, with the doctor of a machine beside it. */
class Ward {
  readonly cluster: GrowingCluster
  readonly world: World
  readonly #watch: HealthWatch

  constructor(cluster: GrowingCluster, world: World) {
    this.cluster = cluster
    this.world = world
    const members = () => (cluster.leader ?? cluster.running[0])?.members ?? []
    const clients = new MemberClients({
      world,
      clusterId: 'test',
      members,
      timeoutMs: 800,
      credentials: () => ({}),
    })
    const ask = () => Promise.all(members().map((member) => clients.ask(member)))
    this.#watch = new HealthWatch({ world, ask, everyMs: 1_000 })
  }

  /** The finding, once it is there. */
  async finds(check: Check, severity: Finding['severity'], node?: number): Promise<Finding> {
    let found: Finding | undefined
    await eventually(this.world, `${severity} of ${check}`, () => {
      found = this.#watch.findings.find(
        (each) => each.check === check && each.severity === severity && each.node === node,
      )
      return found !== undefined
    })
    return found as Finding
  }

  async isWell(check: Check): Promise<void> {
    await eventually(this.world, `nothing wrong with ${check}`, () => {
      const found = this.#watch.findings.filter((each) => each.check === check)
      return this.#watch.findings.length > 0 && found.every(({ severity }) => severity === 'ok')
    })
  }

  close(): void {
    this.#watch.close()
  }
}

async function inWard(
  seed: number,
  body: (ward: Ward) => Promise<void>,
  options: Partial<ClusterNodeOptions> = {},
): Promise<void> {
  const cluster = new GrowingCluster(seed, 3, options)
  await cluster.client(async (world) => {
    const ward = new Ward(cluster, world)
    try {
      await body(ward)
    } finally {
      ward.close()
    }
  })
}

const followerOf = (cluster: GrowingCluster): number =>
  cluster.running.find((node) => node !== cluster.leader)?.id ?? 0

describe('in a simulated cluster the doctor finds, and finds no more once it is mended,', () => {
  test('a voter that is down, for how long, and that one more would stop all', () =>
    inWard(1, async (ward) => {
      await ward.isWell('cluster')
      const victim = followerOf(ward.cluster)
      ward.cluster.processOf(victim).crash()
      expect(await ward.finds('cluster', 'problem', victim)).toMatchObject({
        command: `althing member replace ${victim}`,
      })
      expect((await ward.finds('quorum', 'warning')).advice).toContain('bring the missing nodes back')
      await sleep(ward.world, 20_000)
      expect((await ward.finds('cluster', 'problem', victim)).forMs).toBeGreaterThan(19_000)
      ward.cluster.processOf(victim).restart()
      await ward.isWell('cluster')
      await ward.isWell('quorum')
    }))

  test('the loss of the quorum, and the groups that it leaves without a leader', () =>
    inWard(2, async (ward) => {
      const { cluster, world } = ward
      await cluster.operate(world, 'group.create', { name: 'orders' })
      await ward.isWell('groups')
      const victims = cluster.running.slice(1).map(({ id }) => id)
      for (const id of victims) cluster.processOf(id).crash()
      expect((await ward.finds('quorum', 'problem')).command).toContain('--serializable')
      const found = await ward.finds('groups', 'problem')
      expect(found).toMatchObject({ subject: 'orders' })
      for (const id of victims) cluster.processOf(id).restart()
      await ward.isWell('groups')
      await ward.isWell('quorum')
    }))

  test('a group whose only copy is down while the cluster goes on', () =>
    inWard(21, async (ward) => {
      const { cluster, world } = ward
      await cluster.operate(world, 'group.create', { name: 'lone', replicas: 1 })
      const [keeper] = cluster.running.filter(({ groups }) => groups.size > 1).map(({ id }) => id)
      cluster.processOf(keeper ?? 0).crash()
      const { message, advice } = await ward.finds('groups', 'problem')
      expect(message).toBe('group lone has no majority: 0 of its 1 voters answer')
      expect(advice).toContain(`bring back node ${keeper}, with the data it had`)
      cluster.processOf(keeper ?? 0).restart()
      await ward.isWell('groups')
    }))

  test('a group that was created while a member was down, until it has the copy that it lacks', () =>
    inWard(22, async (ward) => {
      const { cluster, world } = ward
      const victim = followerOf(cluster)
      cluster.processOf(victim).crash()
      // Then the leader knows it as well.
      await sleep(world, 5_000)
      await cluster.operate(world, 'group.create', { name: 'orders' })
      const { message, advice, subject } = await ward.finds('groups', 'warning')
      expect(message).toMatch(/^group orders has 2 of 3 copies, on nodes \d, \d$/)
      expect(advice).toContain(`bring back node ${victim}`)
      expect(subject).toBe('orders')
      cluster.processOf(victim).restart()
      await ward.isWell('groups')
    }))

  test('clocks that disagree', () =>
    inWard(3, async (ward) => {
      await ward.isWell('clock')
      ward.cluster.processOf(2).clock.stepWall(2_000)
      const { message } = await ward.finds('clock', 'warning')
      expect(message).toMatch(/^the clock of node 2 is (2s|1\.9s|2\.1s) ahead of that of node [13]/)
      ward.cluster.processOf(2).clock.stepWall(-2_000)
      await ward.isWell('clock')
    }))

  test('an even number of voters', () =>
    inWard(4, async (ward) => {
      const { cluster, world } = ward
      const id = await cluster.addVoter(world)
      expect((await ward.finds('quorum', 'warning')).message).toBe('4 nodes bear no more failures than 3')
      await cluster.operate(world, 'member.remove', { id })
      await ward.isWell('quorum')
    }))

  test('a learner that does not answer', () =>
    inWard(5, async (ward) => {
      const { cluster, world } = ward
      const id = await cluster.add(world, { learner: true })
      await ward.finds('learner', 'ok', id)
      cluster.processOf(id).crash()
      expect(await ward.finds('learner', 'warning', id)).toMatchObject({
        command: `althing member remove ${id}`,
      })
      cluster.processOf(id).restart()
      await ward.isWell('learner')
    }))

  test('a node that drains', () =>
    inWard(6, async (ward) => {
      const { cluster, world } = ward
      const id = cluster.leader?.id ?? 0
      await cluster.operate(world, 'node.drain', null, id)
      const { command } = await ward.finds('leadership', 'warning', id)
      expect(command).toBe(`althing drain ${id} --undo`)
      await cluster.operate(world, 'node.undrain', null, id)
      await ward.isWell('leadership')
    }))

  test('a store that comes near its quota, and one that is full', () =>
    inWard(
      7,
      async (ward) => {
        const { cluster, world } = ward
        const store = cluster.store(world)
        const fill = (from: number, to: number) =>
          Promise.all(
            Array.from({ length: to - from }, (_, i) =>
              store.txn({
                then: [
                  {
                    op: 'put',
                    key: byteStringFromText(`k${from + i}`),
                    value: new Uint8Array(mib),
                    lease: 0,
                  },
                ],
              }),
            ),
          )
        await fill(0, 14)
        expect((await ward.finds('quota', 'warning')).command).toBe('althing quota 32MiB')
        await expect(fill(14, 20)).rejects.toMatchObject({ code: 'no-space' })
        await cluster.operate(world, 'store.set-quota', { quotaBytes: 64 * mib })
        await ward.isWell('quota')
        await store.close()
      },
      { store: { bounds: { quotaBytes: 16 * mib } } },
    ))

  test('a disk that fills up', () =>
    inWard(
      8,
      async (ward) => {
        const { cluster, world } = ward
        const store = cluster.store(world)
        const victim = followerOf(cluster)
        const { disk } = cluster.processOf(victim)
        const write = async () => {
          for (let i = 0; i < 60; i++) await put(store, `k${i}`, 'x'.repeat(1_000))
        }
        disk.conditions.capacityBytes = disk.usedBytes + 100_000
        await write()
        const found = await ward.finds('disk-space', 'problem', victim)
        expect(found.message).toContain('it does not lead, and refuses what grows')
        disk.conditions.capacityBytes = Number.POSITIVE_INFINITY
        await write()
        await ward.isWell('disk-space')
        await store.close()
      },
      { files: { segmentBytes: 65_536 } },
    ))

  test('a backup that is missing, and one that has grown old', () =>
    inWard(9, async (ward) => {
      const { cluster, world } = ward
      const backUp = () =>
        cluster.operate(world, 'backup.record', { revision: 1, bytes: 100 }, cluster.leader?.id)
      expect((await ward.finds('backup', 'warning')).message).toContain('was ever taken')
      await backUp()
      await ward.isWell('backup')
      for (const process of cluster.simulation.processes) process.clock.stepWall(8 * 86_400_000)
      expect((await ward.finds('backup', 'warning')).message).toMatch(/^the last backup is 8d/)
      await backUp()
      await ward.isWell('backup')
    }))

  test('a watcher that does not read', () =>
    inWard(10, async (ward) => {
      const { cluster, world } = ward
      const store = cluster.store(world)
      let seen = 0
      const watcher = cluster.simulation.process('watcher', async (its) => {
        const own = cluster.store(its)
        for await (const batch of own.watch({ key: 'w', end: 'x' })) if (batch.kind === 'events') seen++
      })
      await sleep(world, 2_000)
      await put(store, 'w', 'first')
      await eventually(world, 'the watcher reads', () => seen > 0)
      watcher.pause()
      for (let i = 0; i < 8; i++) await put(store, 'w', 'x'.repeat(mib / 2))
      const found = cluster.running.find(({ host }) => host.watches.stats.setAside > 0)?.id ?? 0
      expect((await ward.finds('watchers', 'warning', found)).message).toMatch(/^1 of \d+ watchers/)
      watcher.resume()
      await ward.isWell('watchers')
      await store.close()
    }))
})
