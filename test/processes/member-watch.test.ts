// What the nodes of a cluster see of one that dies, one that is stopped, and one whose event loop stands still: real processes, read by HTTP.
import { pathToFileURL } from 'node:url'
import type { NodeStatus } from 'althing/engines'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { fixture, killAllChildren } from './support/child.ts'
import { eventually } from './support/eventually.ts'
import { type ClusterMember, NodeCluster } from './support/node-cluster.ts'
import { removeScratchFolders } from './support/scratch-folder.ts'

type Sight = NonNullable<NodeStatus['members'][number]['seen']>

let cluster: NodeCluster

beforeAll(async () => {
  // Two periods: long enough to be missed, not so long that a suspicion ends.
  const env = {
    NODE_OPTIONS: `--import ${pathToFileURL(fixture('blockable')).href}`,
    ALTHING_TEST_BLOCK_MS: '2000',
  }
  cluster = await NodeCluster.start(3, { env })
})

afterAll(async () => {
  await killAllChildren()
  removeScratchFolders()
})

async function sightAt(at: ClusterMember, of: ClusterMember): Promise<Sight | undefined> {
  const answer = await fetch(`http://${at.http}/api/v1/status`)
  const { members } = (await answer.json()) as NodeStatus
  return members.find(({ id }) => id === of.id)?.seen
}

/** Until both others have it so at the same time. */
async function seen(victim: ClusterMember, what: string, isSo: (sight: Sight) => boolean): Promise<Sight[]> {
  const others = cluster.members.filter((member) => member !== victim)
  return await eventually(`node ${victim.id} is seen as ${what}`, async () => {
    const sights = (await Promise.all(others.map((at) => sightAt(at, victim)))).filter(
      (sight) => sight !== undefined,
    )
    return sights.length === others.length && sights.every(isSo) ? sights : undefined
  })
}

const is =
  (...states: readonly Sight['state'][]) =>
  ({ state }: Sight): boolean =>
    states.includes(state)

// One victim each: what is seen of one lasts for a while. Before, all are as they should be.
describe('the nodes of a cluster see', () => {
  test('one that is killed as failed, say who missed it, and as recovered once it is back', async () => {
    const victim = cluster.member(1)
    for (const member of cluster.members) await seen(member, 'live', is('alive', 'degraded', 'recovered'))
    const [before] = await seen(victim, 'live', is('alive', 'degraded', 'recovered'))
    await victim.kill()
    const [failed] = await seen(victim, 'failed', is('failed'))
    expect(failed?.suspectedBy?.length).toBeGreaterThan(0)
    victim.start()
    const [after] = await seen(victim, 'back', is('recovered', 'degraded'))
    expect(after?.incarnation).toBeGreaterThan(before?.incarnation ?? 0)
  })

  test('one that is stopped as failed, and, continued, as back', async () => {
    const victim = cluster.member(2)
    await seen(victim, 'live', is('alive', 'degraded', 'recovered'))
    victim.pause()
    await seen(victim, 'failed', is('failed'))
    victim.resume()
    const [back] = await seen(victim, 'back', is('recovered', 'degraded'))
    // It says itself that it stood still.
    if (back?.state === 'degraded') expect(back.degraded).toBe('event-loop')
  })

  test('one whose event loop stood still as degraded, for the reason that it gives', async () => {
    const victim = cluster.member(3)
    await seen(victim, 'live', is('alive', 'degraded', 'recovered'))
    victim.process.signal('SIGUSR2')
    await seen(victim, 'degraded', ({ state, degraded }) => state === 'degraded' && degraded === 'event-loop')
  })
})
