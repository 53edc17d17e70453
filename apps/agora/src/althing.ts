/** All that Agora takes from Althing. */
export { AlthingError, isAlthingError, open } from 'althing'
export type { ErrorCode, KeyValue, Operation, Store, TxnRequest, WatchBatch } from 'althing'
