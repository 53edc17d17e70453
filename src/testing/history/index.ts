export {
  type CallEvent,
  type EventOutcome,
  formatEvent,
  formatHistory,
  type HistoryEvent,
  type ReturnEvent,
} from './event.ts'
export {
  type CallArguments,
  HistoryRecorder,
  type HistoryRecorderOptions,
  type RecordedCall,
  RecordedClient,
} from './history-recorder.ts'
export { type Operation, pairOperations } from './operation.ts'
export { type HistoryLimits, historyLimits, parseEvent, parseHistory } from './parse-history.ts'
export type { JsonValue } from '../../base/json-value.ts'
