import type { StoreCapabilities } from '../contracts/store.ts'
import { clusterCapabilities } from './cluster/cluster-capabilities.ts'
import { etcdCapabilitiesOf } from './etcd/etcd-capabilities.ts'
import { localCapabilities } from './local/local-capabilities.ts'
import { natsCapabilities, protocolBytes } from './nats/nats-capabilities.ts'
import { capabilitiesOf as postgresCapabilities } from './postgres/server-settings.ts'
import { capabilitiesOf as redisCapabilities } from './redis/server-settings.ts'

/** A way in which an engine can be run, and what it guarantees then. */
export interface DeclaredSetUp {
  readonly engine: string
  /** How it is run, in the words of its page; empty where there is one way only. */
  readonly setUp: string
  readonly capabilities: StoreCapabilities
}

/** By the code that reads a server's settings, so that this is what `open` finds there. */
function postgres(settings: { readonly syncs?: boolean; readonly standbys?: string }): StoreCapabilities {
  return postgresCapabilities({
    version: 150_000,
    syncs: true,
    commit: 'on',
    standbys: '',
    isolation: 'read committed',
    standby: false,
    ...settings,
  })
}

function redis(settings: {
  readonly hasReplicas?: boolean
  readonly syncsAlways?: boolean
}): StoreCapabilities {
  const synced = {
    version: '7.0.0',
    mode: 'standalone',
    role: 'master',
    evictionPolicy: 'noeviction',
    keepsLog: true,
    syncsAlways: true,
    hasReplicas: false,
  }
  return redisCapabilities({ ...synced, ...settings }, { mayFailOver: false, statedSyncedAlone: false })
}

/** With the `max_payload` that servers have unless their operator says otherwise. */
function nats(settings: { readonly syncAlways: boolean; readonly replicas: number }): StoreCapabilities {
  return natsCapabilities(1024 * 1024 - protocolBytes, settings)
}

/** Every engine in the set-ups between which its guarantees differ: what an opened store says of itself in `capabilities`. The pages are made from it. */
export const declaredSetUps: readonly DeclaredSetUp[] = [
  { engine: 'local', setUp: '`memory:`', capabilities: localCapabilities('memory') },
  { engine: 'local', setUp: '`file:`', capabilities: localCapabilities('disk') },
  { engine: 'cluster', setUp: '', capabilities: clusterCapabilities },
  { engine: 'etcd', setUp: '3.4.31, 3.5.13 or later', capabilities: etcdCapabilitiesOf([3, 5, 13], 3) },
  { engine: 'etcd', setUp: 'older, one member', capabilities: etcdCapabilitiesOf([3, 4, 0], 1) },
  { engine: 'etcd', setUp: 'older, several members', capabilities: etcdCapabilitiesOf([3, 4, 0], 3) },
  { engine: 'PostgreSQL', setUp: 'synchronous standbys', capabilities: postgres({ standbys: 'any 1 (*)' }) },
  { engine: 'PostgreSQL', setUp: 'one server', capabilities: postgres({}) },
  { engine: 'PostgreSQL', setUp: '`fsync` off', capabilities: postgres({ syncs: false }) },
  { engine: 'Redis', setUp: 'one server, each write synced', capabilities: redis({}) },
  {
    engine: 'Redis',
    setUp: 'with a replica, Sentinel or cluster',
    capabilities: redis({ hasReplicas: true }),
  },
  { engine: 'Redis', setUp: 'not synced', capabilities: redis({ syncsAlways: false }) },
  {
    engine: 'NATS',
    setUp: 'three servers that sync always',
    capabilities: nats({ syncAlways: true, replicas: 3 }),
  },
  {
    engine: 'NATS',
    setUp: 'one server that syncs always',
    capabilities: nats({ syncAlways: true, replicas: 1 }),
  },
  {
    engine: 'NATS',
    setUp: 'not synced always (the default)',
    capabilities: nats({ syncAlways: false, replicas: 3 }),
  },
]
