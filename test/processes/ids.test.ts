// Ids of processes that are killed again and again, from a cluster of real processes.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Child, fixture, killAllChildren } from './support/child.ts'
import { eventually } from './support/eventually.ts'
import { NodeCluster } from './support/node-cluster.ts'

const places = 3
const kills = 6

let cluster: NodeCluster

beforeAll(async () => {
  cluster = await NodeCluster.start(3)
})

afterAll(async () => {
  await killAllChildren()
})

/** One process after the other in this place, each killed with SIGKILL while it gives ids. */
async function given(place: number): Promise<string[]> {
  const ids: string[] = []
  for (let kill = 0; kill < kills; kill++) {
    const child = Child.script(fixture('id-giver'), [cluster.url])
    const batches = 3 + ((place + kill) % 5)
    await eventually('ids are given', () => child.lines.length >= batches || undefined)
    process.kill(child.pid, 'SIGKILL')
    await child.ended
    for (const line of child.lines) {
      try {
        ids.push(...(JSON.parse(line) as { readonly ids: readonly string[] }).ids)
      } catch {
        // The last line was cut by the kill: nobody has read its ids.
      }
    }
  }
  return ids
}

test('no id is given twice by processes that are killed and started again', async () => {
  const all = (await Promise.all(Array.from({ length: places }, (_, place) => given(place)))).flat()
  expect(all.length).toBeGreaterThan(places * kills * 3 * 40 - 1)
  expect(new Set(all).size).toBe(all.length)
})
