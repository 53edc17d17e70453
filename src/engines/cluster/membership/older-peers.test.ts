// Nodes that greet as those of earlier releases did, beside nodes of this one: what they cannot read they are never sent.
import { describe, expect, test } from 'vitest'
import type { Connection, World } from '../../../contracts/world.ts'
import { isGossipFrame } from '../../../replication/gossip-frame.ts'
import { eventually, GrowingCluster, get, put, sleep } from '../growing-cluster.test-support.ts'
import type { MemberSight } from '../node-status.ts'
import { decodeHello, encodeHello } from '../protocol.ts'

const old = 3

/** The network of a node of an earlier release: its greetings say so, it sends no gossip, and reports what it is sent. */
function speaking(peerVersion: number, world: World, gossiped: () => void): World {
  const greetingAs = (connection: Connection): Connection =>
    wrapped(connection, {
      send: (frame) => {
        if (!isGossipFrame(frame)) connection.send(greeting(frame, peerVersion) ?? frame)
      },
    })
  const listening = (connection: Connection): Connection =>
    wrapped(connection, {
      handle: (handler) =>
        connection.handle({
          ...handler,
          frame: (frame) => {
            if (isGossipFrame(frame)) gossiped()
            handler.frame(frame)
          },
        }),
    })
  const { network } = world
  return {
    ...world,
    network: {
      listen: (address, accept) => network.listen(address, (connection) => accept(listening(connection))),
      connect: async (address, options) => greetingAs(await network.connect(address, options)),
    },
  }
}

function wrapped(connection: Connection, own: Partial<Connection>): Connection {
  return new Proxy(connection, {
    get: (target, name) => {
      const value: unknown = Reflect.get(own, name) ?? Reflect.get(target, name)
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
}

/** The frame with an older version in it; `undefined`: it is no greeting of a peer. Version 1 has no word of versions. */
function greeting(frame: Uint8Array, peerVersion: number): Uint8Array | undefined {
  try {
    const { peerVersion: spoken, ...hello } = decodeHello(frame)
    if (hello.kind !== 'peer' || spoken === undefined) return undefined
    return encodeHello(peerVersion === 1 ? hello : { ...hello, peerVersion })
  } catch {
    return undefined
  }
}

describe.each([1, 2])('a node that speaks version %i beside nodes of version 3', (version) => {
  test('is served and serves, is sent no gossip, and is seen as nothing rather than failed', async () => {
    let gossiped = 0
    const cluster = new GrowingCluster(20 + version, 3, {}, (id, world) =>
      id === old ? speaking(version, world, () => gossiped++) : world,
    )
    await cluster.client(async (world) => {
      const newer = () => cluster.running.filter(({ id }) => id !== old)
      const sights = (of: number): (MemberSight | undefined)[] =>
        newer()
          .filter(({ id }) => id !== of)
          .map((node) => node.status().members.find(({ id }) => id === of)?.seen)
      await eventually(world, 'the new see each other', () =>
        [1, 2].every((of) => sights(of).every((sight) => sight?.state === 'alive')),
      )
      await eventually(world, 'the old is known as old', () =>
        newer().every(({ transport }) => transport.protocolOf(old) === version),
      )
      const store = cluster.store(world)
      await put(store, 'a', '1')
      await sleep(world, 2_000)
      gossiped = 0
      await sleep(world, 30_000)
      expect(sights(old)).toEqual([undefined, undefined])
      expect(gossiped).toBe(0)
      // Without one of the new the old is needed for every decision.
      cluster.processOf(1).crash()
      await eventually(world, 'a leader', () => cluster.leader !== undefined)
      await put(store, 'a', '2')
      expect(await get(store, 'a')).toBe('2')
      await eventually(world, 'the crashed is failed', () =>
        sights(1).every((sight) => sight?.state === 'failed'),
      )
      expect(sights(old)).toEqual([undefined])
      await store.close()
    })
  })
})
