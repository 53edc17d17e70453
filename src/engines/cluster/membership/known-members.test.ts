import { expect, test } from 'vitest'
import type { World } from '../../../contracts/world.ts'
import { Simulation } from '../../../testing/world/simulation.ts'
import { sleep } from '../growing-cluster.test-support.ts'
import { KnownMembers } from './known-members.ts'

const path = 'data/known-members.json'

async function on(body: (world: World) => Promise<void>): Promise<void> {
  const simulation = new Simulation({ seed: 1 })
  let isDone = false
  simulation.process('node1', async (world) => {
    await world.disk.makeDirectory('data')
    await body(world)
    isDone = true
  })
  await simulation.runUntil(() => isDone, { limitMs: 60_000 })
}

/** It is on the disk a little later. */
const noted = async (world: World, members: readonly (readonly [number, string])[]): Promise<void> => {
  const known = await KnownMembers.read(world, 'data')
  known.note(members)
  await sleep(world, 1_000)
}

test('what was noted is known after a start, with what was noted later', async () => {
  await on(async (world) => {
    await noted(world, [
      [1, 'a'],
      [2, 'b'],
    ])
    await noted(world, [[2, 'c']])
    const known = await KnownMembers.read(world, 'data')
    expect([1, 2, 3].map((id) => known.storageIdOf(id))).toEqual(['a', 'c', undefined])
  })
})

test('a damaged list is refused, whatever byte of it is another, and left as it is', async () => {
  await on(async (world) => {
    await noted(world, [[1, 'a']])
    const file = await world.disk.open(path)
    const { byteLength } = await world.disk.read(path)
    const refusal = { code: 'corrupt', details: { file: path, offset: 0 } }
    for (let at = 0; at < byteLength; at++) {
      const [byte = 0] = (await world.disk.read(path)).subarray(at)
      await file.writeDurably(at, [new Uint8Array([byte ^ 4])])
      await expect(KnownMembers.read(world, 'data'), `byte ${at}`).rejects.toMatchObject(refusal)
      await file.writeDurably(at, [new Uint8Array([byte])])
    }
    await file.truncate(byteLength - 1)
    await expect(KnownMembers.read(world, 'data')).rejects.toMatchObject(refusal)
    expect((await world.disk.read(path)).byteLength).toBe(byteLength - 1)
    await file.close()
  })
})
