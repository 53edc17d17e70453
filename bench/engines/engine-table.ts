import { EtcdServers, etcdUnavailable } from '../../test/engines/servers/etcd-servers.ts'
import { NatsServers, natsUnavailable } from '../../test/engines/servers/nats-servers.ts'
import { PostgresServer, postgresUnavailable } from '../../test/engines/servers/postgres-server.ts'
import { RedisServer, redisUnavailable } from '../../test/engines/servers/redis-server.ts'
import { temporaryFolder } from '../../test/engines/servers/server-process.ts'
import { ourCluster } from '../our-cluster.ts'
import type { BenchEngine, EngineName, RunningEngine } from './engine.ts'

/** All engines, in the order of the table. Data lies on the disk of this machine's temporary folder. */
export const engineTable: Readonly<Record<EngineName, BenchEngine>> = {
  memory: { unavailable: () => undefined, start: startMemory },
  file: { unavailable: () => undefined, start: startFile },
  cluster: { unavailable: ourCluster.unavailable, start: startCluster },
  etcd: { unavailable: etcdUnavailable, start: startEtcd },
  postgres: { unavailable: postgresUnavailable, start: startPostgres },
  redis: { unavailable: redisUnavailable, start: startRedis },
  nats: { unavailable: natsUnavailable, start: startNats },
}

async function startMemory(): Promise<RunningEngine> {
  return { url: 'memory:', description: 'this process, nothing kept', bare: [], stop: async () => {} }
}

async function startFile(): Promise<RunningEngine> {
  const folder = temporaryFolder('bench-file')
  const description = 'this process, every write synced to the disk'
  return { url: `file://${folder.path}`, description, bare: [], stop: async () => folder.remove() }
}

async function startCluster(): Promise<RunningEngine> {
  const cluster = await ourCluster.start()
  const { addresses } = await cluster.target()
  return {
    url: `althing://${addresses.join(',')}`,
    description: `${cluster.description}, on the disks of a quorum`,
    bare: [],
    stop: () => cluster.stop(),
  }
}

async function startEtcd(): Promise<RunningEngine> {
  const servers = await EtcdServers.start({ members: 1 })
  const address = servers.addresses[0] as string
  return {
    url: `etcd://${address}`,
    description: `etcd ${servers.version}, one member, defaults: every write synced`,
    bare: [{ kind: 'etcd', address }],
    stop: () => servers.stop(),
  }
}

async function startPostgres(): Promise<RunningEngine> {
  const server = await PostgresServer.start()
  const [row] = await server.query('show server_version')
  return {
    url: server.url,
    description: `PostgreSQL ${String(row?.['server_version'])}, defaults: every commit synced`,
    bare: [
      { kind: 'postgres', address: server.url },
      { kind: 'postgres-journal', address: server.url },
    ],
    stop: () => server.stop(),
  }
}

async function startRedis(): Promise<RunningEngine> {
  const server = await RedisServer.start()
  const version = /redis_version:(\S+)/.exec(String(await server.command('info', 'server')))?.[1]
  return {
    url: server.url,
    description: `Redis ${version}, appendfsync always: every write synced`,
    bare: [
      { kind: 'redis', address: server.url },
      { kind: 'redis-journal', address: server.url },
    ],
    stop: () => server.stop(),
  }
}

async function startNats(): Promise<RunningEngine> {
  const servers = await NatsServers.start({ members: 1, onDisk: true })
  const address = servers.addresses[0] as string
  return {
    url: `nats://${address}`,
    accept: ['fencing'],
    description: `NATS JetStream ${servers.version}, one server, files, defaults: a write is acknowledged before it is synced; reads wait for a message of their own`,
    bare: [{ kind: 'nats', address }],
    stop: () => servers.stop(),
  }
}
