import type { World } from '../../contracts/world.ts'
import { ClusterStore, type ClusterStoreOptions, greetingOf } from './cluster-client.ts'
import { renewalEntry } from './renewal-thread.ts'

export type { ClusterStore, ClusterStoreOptions }

/**
 * Opens a client of a cluster, whose leases can be renewed by a thread. Connects when first used; see {@link ClusterStore.connect}. Throws
 * `invalid-argument`.
 */
export function openClusterStore(world: World, options: ClusterStoreOptions): ClusterStore {
  const { endpoints, clusterId } = options
  const engine = {
    endpoints: [...endpoints],
    ...(clusterId === undefined ? {} : { clusterId }),
    greeting: greetingOf(options),
  }
  return new ClusterStore(world, options, { entry: renewalEntry, engine })
}
