import { describe, expect, test } from 'vitest'
import { GrowingCluster, eventually, sleep } from '../growing-cluster.test-support.ts'
import type { MemberSight } from '../node-status.ts'

/** How each running node but `of` itself sees it. */
function sightsOf(cluster: GrowingCluster, of: number): (MemberSight | undefined)[] {
  return cluster.running
    .filter(({ id }) => id !== of)
    .map((node) => node.status().members.find(({ id }) => id === of)?.seen)
}

function allSee(cluster: GrowingCluster, of: number, ...states: MemberSight['state'][]): boolean {
  const sights = sightsOf(cluster, of)
  return sights.length > 0 && sights.every((sight) => sight !== undefined && states.includes(sight.state))
}

describe('the nodes of a cluster', () => {
  test('see each other alive, with round trips and health scores, and so does each itself', async () => {
    const cluster = new GrowingCluster(11)
    await cluster.client(async (world) => {
      for (const id of [1, 2, 3]) await eventually(world, `${id} alive`, () => allSee(cluster, id, 'alive'))
      await sleep(world, 5_000)
      expect(sightsOf(cluster, 2)[0]).toMatchObject({ state: 'alive', healthScore: 0 })
      expect(sightsOf(cluster, 2)[0]?.roundTripMs).toBeGreaterThan(0)
      expect(cluster.nodes.get(2)?.status().members[1]?.seen).toMatchObject({
        state: 'alive',
        healthScore: 0,
      })
    })
  })

  test('find one that crashed within ten seconds, tell who missed it, and see it recovered when it is back', async () => {
    const cluster = new GrowingCluster(12)
    await cluster.client(async (world) => {
      await eventually(world, 'all alive', () => [1, 2, 3].every((id) => allSee(cluster, id, 'alive')))
      const victim = cluster.running.find(({ id }) => id !== cluster.leader?.id)?.id ?? 0
      const startMs = world.clock.monotonicMs()
      cluster.processOf(victim).crash()
      await eventually(world, 'failed', () => allSee(cluster, victim, 'failed'))
      expect(world.clock.monotonicMs() - startMs).toBeLessThan(10_000)
      expect(sightsOf(cluster, victim)[0]?.suspectedBy?.length).toBeGreaterThan(0)
      cluster.processOf(victim).start()
      await eventually(world, 'recovered', () => allSee(cluster, victim, 'recovered'))
      await sleep(world, 65_000)
      expect(allSee(cluster, victim, 'alive')).toBe(true)
    })
  })

  test('do not lose a member from raft because they see it failed', async () => {
    const cluster = new GrowingCluster(13)
    await cluster.client(async (world) => {
      await eventually(world, 'all alive', () => [1, 2, 3].every((id) => allSee(cluster, id, 'alive')))
      cluster.processOf(3).crash()
      await eventually(world, 'failed', () => allSee(cluster, 3, 'failed'))
      expect(cluster.voters).toEqual([1, 2, 3])
    })
  })

  test('show one whose event loop was blocked as degraded, and not as failed', async () => {
    const cluster = new GrowingCluster(14)
    await cluster.client(async (world) => {
      await eventually(world, 'all alive', () => [1, 2, 3].every((id) => allSee(cluster, id, 'alive')))
      cluster.processOf(2).blockLoop(2_000)
      await eventually(world, 'degraded', () => allSee(cluster, 2, 'degraded'))
      expect(sightsOf(cluster, 2)[0]?.degraded).toBe('event-loop')
      await eventually(world, 'alive again', () => allSee(cluster, 2, 'alive'))
    })
  })
})
