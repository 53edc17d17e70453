/** The engines, for programs that put them together by themselves; `open` of the main entry does it by URL. */
export {
  ClusterNode,
  type ClusterNodeOptions,
  openClusterNode,
} from './cluster/cluster-node.ts'
export { type ClusterStore, type ClusterStoreOptions, openClusterStore } from './cluster/cluster-store.ts'
export { NodeClient } from './cluster/node-client.ts'
export type { GroupStatus, MemberStatus, NodeStatus } from './cluster/node-status.ts'
export type { EtcdUser } from './etcd/authentication.ts'
export type { EtcdTls } from './etcd/endpoints.ts'
export { type EtcdStore, type EtcdStoreOptions, openEtcdStore } from './etcd/etcd-store.ts'
export { LocalStore, type LocalStoreOptions, openLocalStore } from './local/local-store.ts'
export {
  migratePostgres,
  openPostgresStore,
  type PostgresStore,
  type PostgresStoreOptions,
} from './postgres/open-postgres-store.ts'
export { type DeclaredSetUp, declaredSetUps } from './declared-set-ups.ts'
export type { PostgresClient, PostgresConfig, PostgresPool } from './postgres/library.ts'
export type { RedisClient, RedisOptions } from './redis/library.ts'
export { openRedisStore, type RedisStore, type RedisStoreOptions } from './redis/open-redis-store.ts'
export { type NatsStore, type NatsStoreOptions, openNatsStore } from './nats/open-nats-store.ts'
export type { NatsConnection, NatsConnectionOptions } from './nats/nats-library.ts'
