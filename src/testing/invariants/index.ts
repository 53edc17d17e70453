export { checkAcknowledgedWrites } from './acknowledged-writes.ts'
export type { Answer, ReadAnswer, RevisionAnswer, WriteAnswer } from './answers.ts'
export {
  type Agreement,
  ClusterView,
  type CommittedEntry,
  Member,
  type MemberStep,
  type RaftInvariant,
  type RaftView,
} from './cluster-view.ts'
export { type CommittedCommand, CommittedLog, type StateSummary } from './committed-log.ts'
export { DurableState } from './durable-state.ts'
export { checkLeaseNeverEarly } from './lease-never-early.ts'
export { checkLeasesEnded } from './lease-ends.ts'
export {
  checkLinearizableHistory,
  type HistoryJudgement,
  type HistoryLimits,
} from './linearizable-history.ts'
export { checkLocalReadsMonotone, type LocalLook } from './local-reads-monotone.ts'
export { checkFencedWrites, checkLockExclusive } from './lock-exclusive.ts'
export { checkFirstInLine } from './first-in-line.ts'
export { checkHeldIsInStore } from './held-is-in-store.ts'
export { checkLeadersInTurn } from './leaders-in-turn.ts'
export { checkLiveSets, type ObservedSet } from './live-sets-show-the-store.ts'
export {
  checkLossNamesItsCause,
  type Loss,
  type LossCircumstances,
  type Stall,
} from './loss-names-its-cause.ts'
export { checkNothingLeftBehind } from './nothing-left-behind.ts'
export { checkObservedLeaders, type ObservedLeader } from './observed-leaders.ts'
export { createRaftInvariants } from './raft-invariants.ts'
export { checkReadsShowPastStates } from './reads-past-states.ts'
export { checkRealTimeOrder } from './real-time-order.ts'
export { ReplicasEqual } from './replicas-equal.ts'
export { InvariantViolation } from './violation.ts'
export { checkWatchDelivery } from './watch-delivery.ts'
