import type { StoreCapabilities } from '../../contracts/store.ts'

/** What a cluster guarantees; where each is shown stands in `docs/guarantees.md`. */
export const clusterCapabilities: StoreCapabilities = {
  linearizable: true,
  durability: 'quorum-disk',
  leaseSurvivesFailover: true,
  timeAuthority: 'server',
  leaseExpiryResolutionMs: 200,
  fencing: true,
  watchResume: true,
  exactlyOnce: true,
}
