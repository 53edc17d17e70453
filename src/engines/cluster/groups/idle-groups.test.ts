import { expect, test } from 'vitest'
import type { Connection, World } from '../../../contracts/world.ts'
import { Simulation } from '../../../testing/world/simulation.ts'
import { type ClusterNode, openClusterNode } from '../cluster-node.ts'
import { eventually, sleep } from '../growing-cluster.test-support.ts'
import { NodeClient } from '../node-client.ts'

/** What the nodes have sent. */
class Meter {
  frames = 0
  bytes = 0

  /** The same world, whose connections are counted. */
  measure(world: World): World {
    const { network } = world
    const counted = replaced(network, {
      connect: async (...given: Parameters<typeof network.connect>) =>
        this.#counted(await network.connect(...given)),
      listen: (address: string, accept: (connection: Connection) => void) =>
        network.listen(address, (connection) => accept(this.#counted(connection))),
    })
    return replaced(world, { network: counted })
  }

  #counted(connection: Connection): Connection {
    return replaced(connection, {
      send: (frame: Uint8Array) => {
        this.frames++
        this.bytes += frame.byteLength
        return connection.send(frame)
      },
    })
  }
}

/** `target` with some of its members in place of its own. */
function replaced<T extends object>(target: T, members: Partial<Record<keyof T, unknown>>): T {
  return new Proxy(target, {
    get: (_, name) => {
      if (Object.hasOwn(members, name)) return members[name as keyof T]
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

interface Rest {
  readonly framesPerSecond: number
  readonly bytesPerSecond: number
  readonly entries: number
}

/** What three nodes with so many groups beside their own cost while nobody asks anything. */
async function atRest(groups: number): Promise<Rest> {
  const simulation = new Simulation({ seed: 5 })
  const meter = new Meter()
  const nodes = new Map<number, ClusterNode>()
  const members = [1, 2, 3].map((id) => ({ id, address: `node${id}:7400` }))
  for (const { id } of members) {
    simulation.process(`node${id}`, async (world) => {
      const options = { world: meter.measure(world), id, members, clusterId: 'test', leaderStableMs: 1_000 }
      nodes.set(id, await openClusterNode(options))
    })
  }
  const all = () => [...nodes.values()]
  const lastIndexes = (): number =>
    all()
      .flatMap((node) => [...node.groups.values()].map(({ group }) => group.status().lastIndex))
      .reduce((a, b) => a + b, 0)
  const leads = (): number[] =>
    all().map(
      (node) => [...node.groups].filter(([id, { group }]) => id > 1 && group.role === 'leader').length,
    )
  let rest: Rest | undefined
  simulation.process('operator', async (world) => {
    await eventually(world, 'readiness', () => all().length === 3 && all().every((n) => n.status().isReady))
    const client = await NodeClient.open(world, 'node1:7400', { timeoutMs: 60_000 })
    for (let n = 0; n < groups; n++) await client.operate('group.create', { name: `g${n}` })
    client.close()
    await eventually(world, 'the leaders are spread', () => Math.max(...leads()) <= Math.ceil(groups / 3))
    await sleep(world, 3_000)
    const before = { frames: meter.frames, bytes: meter.bytes, entries: lastIndexes() }
    const seconds = 5
    await sleep(world, seconds * 1_000)
    rest = {
      framesPerSecond: (meter.frames - before.frames) / seconds,
      bytesPerSecond: (meter.bytes - before.bytes) / seconds,
      entries: lastIndexes() - before.entries,
    }
  })
  await simulation.runUntil(() => rest !== undefined, { limitMs: 1_200_000 })
  return rest ?? expect.fail('nothing was measured')
}

test('a hundred groups at rest write nothing, and share the frames of one', async () => {
  const alone = await atRest(0)
  const crowd = await atRest(100)
  expect(crowd.entries).toBe(0)
  // One node leads one group; three nodes lead a hundred: so each pair has heartbeats both ways, and nothing else is more.
  expect(alone.framesPerSecond).toBeGreaterThan(0)
  expect(crowd.framesPerSecond).toBeLessThan(alone.framesPerSecond * 3.5)
  expect(crowd.bytesPerSecond, 'in all, of all three nodes').toBeLessThan(100_000)
})
