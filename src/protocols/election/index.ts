/** The bully and the ring election as pure machines. To run one, see `openElector` of `althing/coordination`. */
export { Bully, type BullyMessage } from './bully.ts'
export { RingElection, type RingMessage, type RingToken } from './ring.ts'
export {
  type ElectionEffect,
  type ElectionEvent,
  type ElectionMachine,
  electionMachineDefaults,
  type ElectionOptions,
  type ElectionRole,
  type ElectionState,
  heartbeatsMissedMax,
  type NodeId,
} from './types.ts'
