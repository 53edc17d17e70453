/** All that Agora's domain takes from Althing: the store contract and the errors. `connection.ts` has what a process needs besides. */
export { AlthingError, isAlthingError } from 'althing'
export type { ErrorCode, KeyValue, Operation, Store, TxnRequest, WatchBatch } from 'althing'
