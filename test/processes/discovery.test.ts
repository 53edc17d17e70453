// Instances that die, stop and hang, as the others see them; the store, the nodes that check and the instances are real processes.
import { type Althing, open } from 'althing'
import type { LiveSet } from 'althing/coordination'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Child, fixture, killAllChildren } from './support/child.ts'
import { eventually, pause } from './support/eventually.ts'
import { NodeCluster, world } from './support/node-cluster.ts'
import { removeScratchFolders } from './support/scratch-folder.ts'

let cluster: NodeCluster
let other: Althing
let live: LiveSet

beforeAll(async () => {
  cluster = await NodeCluster.start(3)
  other = await open(cluster.url, { world })
  live = other.discovery.watch('api')
  await live.ready
})

afterAll(async () => {
  await other?.close()
  await killAllChildren()
  removeScratchFolders()
})

async function instance(id: string, ttl: string): Promise<Child> {
  const child = Child.script(fixture('service-instance'), [cluster.url, id, ttl])
  await child.event({ event: 'registered' })
  await eventually(`${id} is healthy`, () => stateOf(id) === 'healthy' || undefined)
  return child
}

const stateOf = (id: string): string | undefined =>
  live.current.instances.find((each) => each.id === id)?.health.state

const gone = (id: string): Promise<unknown> =>
  eventually(`${id} is gone`, () => stateOf(id) === undefined || undefined)

describe('an instance', () => {
  test('that is killed is gone', async () => {
    const child = await instance('killed', '3s')
    child.signal('SIGKILL')
    await gone('killed')
  })

  test('that is stopped is gone, and back when it goes on', async () => {
    const child = await instance('stopped', '3s')
    const [before] = live.current.instances.filter(({ id }) => id === 'stopped')
    child.signal('SIGSTOP')
    await gone('stopped')
    child.signal('SIGCONT')
    await eventually('it is back', () => stateOf('stopped') === 'healthy' || undefined)
    const [after] = live.current.instances.filter(({ id }) => id === 'stopped')
    expect(after?.registrationRevision).toBeGreaterThan(before?.registrationRevision ?? Number.NaN)
    child.signal('SIGKILL')
  })

  test('whose loop is blocked for longer than its ttl stays, and is unhealthy for as long', async () => {
    const child = await instance('blocked', '3s')
    child.say('block 9000')
    await eventually('the nodes find out', () => stateOf('blocked') === 'unhealthy' || undefined)
    await pause(4_000)
    expect(stateOf('blocked')).toBeDefined()
    await eventually('it is well again', () => stateOf('blocked') === 'healthy' || undefined)
    child.signal('SIGKILL')
  })
})
