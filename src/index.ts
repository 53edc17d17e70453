/** Althing: distributed-systems building blocks, each guarantee stated and proven. */
export * from './contracts/errors.ts'
export type * from './contracts/store.ts'
