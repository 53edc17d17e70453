export { type BankOptions, type BankResult, checkBank } from './bank.ts'
export { EventLog, type RevisionEvents } from './event-log.ts'
export { type ExplainOptions, explainViolation, type ViolationExplanation } from './explain-violation.ts'
export { checkLeaseLives, type LeaseLifeOptions, type LeaseRecord } from './lease-life.ts'
export {
  type CheckProgress,
  checkLinearizability,
  type LinearizabilityOptions,
  type LinearizabilityResult,
  type LinearizabilityViolation,
} from './linearizability.ts'
export { checkLockHolders, type LockTenure } from './lock-holders.ts'
export { modelByName, modelNames } from './models/by-name.ts'
export { counterModel } from './models/counter.ts'
export { kvModel } from './models/kv.ts'
export { lockModel } from './models/lock.ts'
export { queueModel } from './models/queue.ts'
export { casRegisterModel, registerModel } from './models/register.ts'
export { setModel } from './models/set.ts'
export { versionedKvModel } from './models/versioned-kv.ts'
export {
  type AnySequentialModel,
  type DecodedOperation,
  partitionByKey,
  type SequentialModel,
  type WholeHistoryFault,
} from './sequential-model.ts'
export { checkSetFull, type SetFullOptions, type SetFullResult } from './set-full.ts'
export { type ShrinkOptions, shrinkViolation } from './shrink.ts'
export { drawTimeline, type TimelineSubject } from './timeline.ts'
export { drawTimelineSvg } from './timeline-svg.ts'
export { checkUniqueIds, type UniqueIdsResult } from './unique-ids.ts'
export { type Finding, type FindingsResult, findingsMax, type Verdict } from './verdict.ts'
export { checkWatches, type WatchObservation } from './watch-guarantees.ts'
