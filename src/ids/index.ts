export {
  explainId,
  type IdExplanation,
  type IdHolder,
  type SnowflakeExplanation,
  type UlidExplanation,
  type UuidExplanation,
} from './explain-id.ts'
export {
  type FixedSnowflakeOptions,
  idRequirements,
  IdService,
  type IdServiceOptions,
  openFixedSnowflake,
} from './id-service.ts'
export type { OnUuidClockBack } from './monotonic-time.ts'
export { type NextSegmentIdOptions, segmentDefaults, SegmentIds, type SegmentOptions } from './segment-ids.ts'
export {
  type NextOptions,
  type SnowflakeGenerator,
  snowflakeDefaults,
  type SnowflakeOptions,
  type SnowflakeTimeOptions,
  type WorkerHold,
} from './snowflake-types.ts'
export { isUlid, isUuid, parseUuid, ulidTimeMs, type UuidOptions, type UuidParts, Uuids } from './uuids.ts'
export {
  defaultLayout,
  parseSnowflake,
  type SnowflakeLayout,
  snowflakeMax,
  snowflakeNumber,
  type SnowflakeParts,
  snowflakeText,
} from '../protocols/snowflake/layout.ts'
export type { OnClockBack } from '../protocols/snowflake/sequence.ts'
