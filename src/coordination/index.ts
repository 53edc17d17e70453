export {
  AcceptanceNotices,
  type AcceptanceNoticesOptions,
  type AcceptedWeakness,
  acceptedWeaknesses,
} from './accepted-weaknesses.ts'
export { assertGuarantees, type Guarantee, missingGuarantees, type Requirements } from './guarantees.ts'
export { recipes } from './recipes.ts'
export {
  type ConfigChange,
  type ConfigChangeOptions,
  configDefaults,
  configRequirements,
  ConfigService,
  type ConfigServiceOptions,
  type ReadConfigOptions,
} from './config/config.ts'
export type {
  ConfigDifference,
  ConfigDocument,
  ConfigProblem,
  ConfigReader,
  ConfigState,
  ConfigVersion,
  EffectiveConfig,
  HistoryItem,
  InstanceReport,
  OpenConfigOptions,
  ScopeSummary,
  ShownValue,
  ShownValues,
  StagedRelease,
  VersionInfo,
} from './config/config-types.ts'
export type { ConfigLayer } from './config/config-document.ts'
export { globalScope, type ReleaseRule, type ReleaseStep, type VersionCause } from './config/config-record.ts'
export type { ReleaseRequest } from './config/config-steps.ts'
export type { ConfigWriteOptions } from './config/config-writer.ts'
export type { JsonSchema } from './config/json-schema.ts'
export type { JsonValue } from '../base/json-value.ts'
export type { Rotation } from './config/rotate-keys.ts'
export {
  type AuthenticatedCipher,
  type MasterKey,
  newMasterKey,
  parseMasterKeys,
  type SecretKeys,
} from './config/secret-box.ts'
export { releasePlace } from './config/staged-release.ts'
export type { StandardSchema } from './config/standard-schema.ts'
export { type Fence, type FencedTxnRequest, type FenceStamp, fenceCompare, fencedTxn } from './fencing.ts'
export type { KeptLease } from './leases/kept-lease.ts'
export { LeaseKeeper, type LeaseKeeperOptions } from './leases/lease-keeper.ts'
export type { LossCause } from './leases/loss-cause.ts'
export { lockDefaults, lockRequirements, LockService, type LockServiceOptions } from './locks/lock.ts'
export type { ForcedRelease, ForceReleaseOptions } from './locks/forced-release.ts'
export type { Hold, SingleHold } from './locks/hold-types.ts'
export type { KeyRight, Right } from './right.ts'
export type {
  AcquireAllOptions,
  AcquireOptions,
  ForcedLockRelease,
  Lock,
  LockExplanation,
  LockMode,
  LockParty,
  MultiLock,
} from './locks/lock-types.ts'
export type { Party } from './locks/party.ts'
export {
  electionDefaults,
  electionRequirements,
  ElectionService,
  type ElectionServiceOptions,
} from './election/election.ts'
export type {
  CampaignOptions,
  Candidate,
  ElectionState,
  Leader,
  Leadership,
} from './election/election-types.ts'
export {
  Discovery,
  discoveryDefaults,
  type DiscoveryOptions,
  discoveryRequirements,
} from './discovery/discovery.ts'
export {
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
} from './discovery/discovery-types.ts'
export type {
  ActiveCheck,
  CheckRunner,
  CheckSchedule,
  CheckSpec,
  FlapOptions,
  FunctionCheck,
  HealthCheck,
  HttpCheck,
  ScriptCheck,
  TcpCheck,
} from './discovery/check-types.ts'
export { CheckDuty, type CheckDutyOptions } from './discovery/check-duty.ts'
export {
  type HostedPlace,
  HostedRegistrations,
  type HostOptions,
} from './discovery/hosted-registrations.ts'
export {
  type BalancerOptions,
  type BalancingPolicy,
  type Picked,
  ServiceBalancer,
} from './discovery/service-balancer.ts'
export { cronDefaults } from './cron/cron-definition.ts'
export { cronRequirements, CronService, type CronServiceOptions } from './cron/cron.ts'
export type {
  CronActive,
  CronDefinition,
  CronDelivery,
  CronOutcome,
  CronOverview,
  CronPause,
  CronPending,
  CronRecord,
  CronRun,
  CronRunKind,
  CronSchedule,
  MissedPolicy,
  OverlapPolicy,
  ScheduleOptions,
} from './cron/cron-types.ts'
export {
  type ElectedTerm,
  type Elector,
  type ElectorAlgorithm,
  electorAlgorithms,
  type ElectorGuarantees,
  electorGuarantees,
  type ElectorLeader,
} from './electors/elector-types.ts'
export type { ElectionMember } from './electors/election-transport.ts'
export type { LockElectorOptions } from './electors/lock-elector.ts'
export { type ElectorOptions, type MemberElectorOptions, openElector } from './electors/open-elector.ts'
export {
  semaphoreDefaults,
  semaphoreRequirements,
  SemaphoreService,
  type SemaphoreServiceOptions,
} from './semaphores/semaphore.ts'
export type { SetLimitOptions } from './semaphores/semaphore-overview.ts'
export type {
  ForcedPermitRelease,
  LimitChange,
  Permit,
  PermitOptions,
  PermitParty,
  SemaphoreExplanation,
} from './semaphores/semaphore-types.ts'
export {
  type AtomicOptions,
  type AtomicState,
  AtomicValue,
  type ValueSchema,
} from './primitives/atomic-value.ts'
export { atomicRequirements, Atomics } from './primitives/atomics.ts'
export {
  barrierDefaults,
  type BarrierOptions,
  barrierRequirements,
  Barriers,
  type BarriersOptions,
  type DoubleBarrier,
} from './primitives/barriers.ts'
export type { WaitOptions } from './primitives/call-limit.ts'
export type { WriteOptions } from './primitives/compare-and-write.ts'
export { counterMax, counterMin, counterRequirements, Counters } from './primitives/counters.ts'
export type { Passage } from './primitives/gathering.ts'
export {
  type CountDownOptions,
  type CreateLatchOptions,
  Latches,
  latchRequirements,
  type LatchState,
} from './primitives/latches.ts'
export type { PrimitiveServiceOptions } from './primitives/primitive-service.ts'
export { Tree, treeDefaults, type TreeOptions, treeRequirements } from './tree/tree.ts'
export type {
  CreateOptions,
  NodeKind,
  NodeStat,
  NodeState,
  TreeChange,
  TreeConflict,
  TreeEvent,
  TreeOperation,
  TreeResult,
  TreeSession,
  WatchKind,
} from './tree/tree-types.ts'
export { type GuardedContent, GuardedFile } from './guards/guarded-file.ts'
export {
  fenceHeader,
  fenceHeaders,
  type FenceMemory,
  type FenceVerdict,
  HttpGuard,
  ProcessFenceMemory,
} from './guards/http-guard.ts'
export { PostgresGuard, type PostgresGuardOptions, type PostgresQuery } from './guards/postgres-guard.ts'
