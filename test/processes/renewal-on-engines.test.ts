// A lock on servers of others, held by a real process whose event loop stands still, or that dies.
import { type Althing, open } from 'althing'
import type { Guarantee } from 'althing/coordination'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { EtcdServers, etcdUnavailable, quickElections } from '../engines/servers/etcd-servers.ts'
import { NatsServers, natsUnavailable } from '../engines/servers/nats-servers.ts'
import { PostgresServer, postgresUnavailable } from '../engines/servers/postgres-server.ts'
import { RedisServer, redisUnavailable } from '../engines/servers/redis-server.ts'
import { Child, fixture, killAllChildren } from './support/child.ts'
import { eventually } from './support/eventually.ts'
import { world } from './support/node-cluster.ts'

interface Servers {
  readonly url: string
  stop(): Promise<void>
  /** Where there are several: the one that leads dies, while the loop of the holder is blocked. */
  killLeader?(): Promise<void>
}

interface EngineCase {
  readonly engine: string
  readonly unavailable: string | undefined
  readonly accept?: readonly Guarantee[]
  readonly ttl: string
  /** Longer than the ttl, and than the choice of a next leader takes. */
  readonly blockedMs: number
  start(): Promise<Servers>
}

const cases: readonly EngineCase[] = [
  {
    engine: 'PostgreSQL',
    unavailable: postgresUnavailable(),
    ttl: '5s',
    blockedMs: 8_000,
    start: () => PostgresServer.start(),
  },
  {
    engine: 'Redis',
    unavailable: redisUnavailable(),
    ttl: '5s',
    blockedMs: 8_000,
    start: () => RedisServer.start(),
  },
  {
    engine: 'etcd',
    unavailable: etcdUnavailable(),
    // Of several members before 3.4.31 and 3.5.13 a leader that stood still may end leases: here it is killed, and ends none.
    accept: ['lease-survives-failover'],
    ttl: '3s',
    blockedMs: 8_000,
    start: async () => {
      const servers = await EtcdServers.start({ members: 3, flags: quickElections })
      return {
        url: `etcd://${servers.addresses.join(',')}`,
        stop: () => servers.stop(),
        killLeader: async () => servers.kill(await servers.leader()),
      }
    },
  },
  {
    engine: 'NATS',
    unavailable: natsUnavailable(),
    ttl: '15s',
    blockedMs: 20_000,
    start: async () => {
      const servers = await NatsServers.start({ members: 3 })
      return {
        url: `nats://${servers.addresses.join(',')}/locks?replicas=3&sync=always`,
        stop: () => servers.stop(),
        killLeader: async () => servers.kill(await servers.leader('ALTHING_locks')),
      }
    },
  },
]

for (const { engine, unavailable, accept = [], ttl, blockedMs, start } of cases) {
  describe.skipIf(unavailable !== undefined)(`the holder of a lock on ${engine}`, () => {
    let servers: Servers
    let other: Althing

    beforeAll(async () => {
      servers = await start()
      other = await open(servers.url, { world, accept })
    })

    afterAll(async () => {
      await other?.close()
      await killAllChildren()
      await servers?.stop()
    })

    function hold(name: string, ttlOfLock: string): Child {
      return Child.script(fixture('right-holder'), ['lock', servers.url, name, ttlOfLock, '30s', ...accept])
    }

    test('keeps it by the thread that renews it while its event loop is blocked, though the leader dies', async () => {
      const child = hold('blocked', ttl)
      await child.event({ event: 'held' })
      child.say(`block ${blockedMs}`)
      await child.event({ event: 'blocking' })
      await servers.killLeader?.()
      let refusals = 0
      const unblocked = await eventually('the loop runs again', async () => {
        expect(await other.locks.tryAcquire('blocked')).toBeNull()
        refusals += 1
        return child.lines.find((line) => line.includes('"unblocked"'))
      })
      // A refusal waits for the next leader, which takes NATS some seconds.
      expect(refusals).toBeGreaterThan(0)
      expect(JSON.parse(unblocked)).toMatchObject({ isHeld: true, lost: false })
      child.say('write kept')
      await child.event({ event: 'written' })
    })

    test('loses it to the next when it dies', async () => {
      const child = hold('dead', '2s')
      const { token } = await child.event({ event: 'held' })
      await child.kill()
      const next = await other.locks.acquire('dead', { waitTimeout: '30s' })
      expect(next.token).toBeGreaterThan(token as number)
      await next.release()
    })
  })
}
