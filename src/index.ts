/** Althing: distributed-systems building blocks, each guarantee stated and proven. Start with {@link open}. */
export type { Duration } from './base/duration.ts'
export {
  AlthingError,
  type AlthingErrorOptions,
  type ErrorCode,
  type ErrorJson,
  errorCodes,
  errorFromJson,
  isAlthingError,
  type Outcome,
} from './contracts/errors.ts'
export type * from './contracts/store.ts'
export { Althing, type OpenOptions, open } from './node/althing.ts'
export {
  bytesCodec,
  type Change,
  type Codec,
  type Condition,
  type DeleteOptions,
  type Item,
  jsonCodec,
  type List,
  type ListOptions,
  type PutOptions,
  plainCodec,
  textCodec,
  Transaction,
  TypedStore,
  type WatchOptions,
} from './store/typed-store.ts'
