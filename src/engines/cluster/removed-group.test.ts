import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import type { World } from '../../contracts/world.ts'
import type { StoreHost } from '../local/store-host.ts'
import { eventually, GrowingCluster, put } from './growing-cluster.test-support.ts'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** The copies of a group that is created, used and removed again. */
async function copiesOfRemoved(cluster: GrowingCluster, world: World): Promise<WeakRef<StoreHost>[]> {
  const { id } = await cluster.operate(world, 'group.create', { name: 'passing' })
  const store = cluster.store(world, 'passing')
  await put(store, 'a', 'written')
  await store.close()
  const copies = cluster.running.flatMap(({ groups }) => {
    const host = groups.get(Number(id))
    return host === undefined ? [] : [new WeakRef(host)]
  })
  await cluster.operate(world, 'group.remove', { name: 'passing' })
  await eventually(world, 'it is gone', () => cluster.running.every(({ groups }) => groups.size === 1))
  return copies
}

test('a removed group leaves nothing in the memory of the nodes that had a copy', async () => {
  const cluster = new GrowingCluster(1)
  let copies: WeakRef<StoreHost>[] = []
  await cluster.client(async (world) => {
    copies = await copiesOfRemoved(cluster, world)
    // Timers that were armed before it went still know it.
    await new Promise<void>((resolve) => world.timers.after(60_000, resolve))
  })
  expect(copies).toHaveLength(3)
  // What is deref'd in a turn of the loop stays for that turn.
  await new Promise((resolve) => setImmediate(resolve))
  collect()
  expect(copies.filter((copy) => copy.deref() !== undefined)).toHaveLength(0)
  expect(cluster.running).toHaveLength(3)
})
