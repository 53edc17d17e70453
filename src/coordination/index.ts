export {
  AcceptanceNotices,
  type AcceptanceNoticesOptions,
  type AcceptedWeakness,
  acceptedWeaknesses,
} from './accepted-weaknesses.ts'
export { assertGuarantees, type Guarantee, missingGuarantees, type Requirements } from './guarantees.ts'
export { recipes } from './recipes.ts'
export { type Fence, type FencedTxnRequest, fenceCompare, fencedTxn } from './fencing.ts'
export type { KeptLease } from './kept-lease.ts'
export { LeaseKeeper, type LeaseKeeperOptions } from './lease-keeper.ts'
export type { LossCause } from './loss-cause.ts'
export { lockDefaults, lockRequirements, LockService, type LockServiceOptions } from './lock.ts'
export type { AcquireOptions, ForcedRelease, Lock, LockExplanation, LockParty } from './lock-types.ts'
export {
  electionDefaults,
  electionRequirements,
  ElectionService,
  type ElectionServiceOptions,
} from './election.ts'
export type { CampaignOptions, Candidate, ElectionState, Leader, Leadership } from './election-types.ts'
export { Discovery, discoveryDefaults, type DiscoveryOptions, discoveryRequirements } from './discovery.ts'
export {
  type FlapOptions,
  type HealthCheck,
  type HealthResult,
  type HealthState,
  type InstanceHealth,
  type InstanceState,
  type InstanceUpdate,
  isEligible,
  type LiveSet,
  type LiveSetState,
  type RegisterOptions,
  type Registration,
  type ServiceDirectory,
  type ServiceInstance,
  type WatchServiceOptions,
} from './discovery-types.ts'
