/** The built-in engines, for programs that put them together by themselves; `open` of the main entry does it by URL. */
export {
  ClusterNode,
  type ClusterNodeOptions,
  openClusterNode,
} from './cluster/cluster-node.ts'
export { type ClusterStore, type ClusterStoreOptions, openClusterStore } from './cluster/cluster-store.ts'
export { NodeClient } from './cluster/node-client.ts'
export type { GroupStatus, MemberStatus, NodeStatus } from './cluster/node-status.ts'
export { LocalStore, type LocalStoreOptions, openLocalStore } from './local/local-store.ts'
