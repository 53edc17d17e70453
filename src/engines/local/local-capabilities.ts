import type { StoreCapabilities } from '../../contracts/store.ts'

/** What the embedded engine guarantees; where each is shown stands in `docs/blocks/local.md`. */
export function localCapabilities(durability: StoreCapabilities['durability']): StoreCapabilities {
  return {
    linearizable: true,
    durability,
    leaseSurvivesFailover: true,
    timeAuthority: 'server',
    leaseExpiryResolutionMs: 50,
    fencing: true,
    watchResume: true,
    exactlyOnce: true,
  }
}
