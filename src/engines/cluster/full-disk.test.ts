import { describe, expect, test } from 'vitest'
import type { World } from '../../contracts/world.ts'
import { eventually, get, GrowingCluster, put, sleep, Writer } from './growing-cluster.test-support.ts'

const KiB = 1024
/** Less than four segments, 256 KiB, free is low. */
const files = { segmentBytes: 64 * KiB }

function leaveFree(cluster: GrowingCluster, id: number, bytes: number): void {
  const { disk } = cluster.processOf(id)
  disk.conditions.capacityBytes = bytes === Infinity ? bytes : disk.usedBytes + bytes
}

async function withCluster(
  seed: number,
  body: (cluster: GrowingCluster, world: World) => Promise<void>,
): Promise<void> {
  const cluster = new GrowingCluster(seed, 3, { files, snapshotEntries: 100, keepEntries: 10 })
  await cluster.client(async (world) => {
    await sleep(world, 2_000)
    await body(cluster, world)
  })
}

describe('a disk that fills up', () => {
  test('costs the leader its lead, and nobody a write; with room again it is as able as the others', async () => {
    await withCluster(1, async (cluster, world) => {
      const store = cluster.store(world)
      const writer = new Writer(store, world)
      const full = cluster.leader?.id ?? 0
      leaveFree(cluster, full, 100 * KiB)
      await eventually(world, 'another leads', () => ![undefined, full].includes(cluster.leader?.id))
      await sleep(world, 5_000)
      expect(cluster.leader?.id).not.toBe(full)
      expect(cluster.ends.size).toBe(0)
      leaveFree(cluster, full, Infinity)
      await eventually(
        world,
        'it may lead',
        () => cluster.nodes.get(full)?.host.group.status().isEligible === true,
      )
      expect(await writer.stop()).toBeGreaterThan(100)
      await store.close()
    })
  })

  test('on every node stops growth alone: reads and deletes go on, and writes do when there is room', async () => {
    await withCluster(2, async (cluster, world) => {
      const store = cluster.store(world)
      await put(store, 'kept', '1')
      await put(store, 'deleted', '1')
      for (const id of [1, 2, 3]) leaveFree(cluster, id, 150 * KiB)
      const refusal = async (): Promise<boolean> =>
        put(store, 'more', 'x').then(
          () => false,
          (error: { code?: string; outcome?: string; message?: string }) => {
            expect(error).toMatchObject({ code: 'no-space', outcome: 'none' })
            expect(error.message).toContain('disk')
            return true
          },
        )
      let isRefused = false
      while (!isRefused) {
        isRefused = await refusal()
        await sleep(world, 200)
      }
      expect(await get(store, 'kept')).toBe('1')
      await store.txn({ then: [{ op: 'delete', key: 'deleted' }] })
      expect(await get(store, 'deleted')).toBeUndefined()
      for (const id of [1, 2, 3]) leaveFree(cluster, id, Infinity)
      while (isRefused) {
        await sleep(world, 200)
        isRefused = await refusal()
      }
      expect(await get(store, 'more')).toBe('x')
      expect(cluster.ends.size).toBe(0)
      await store.close()
    })
  })
})
