/** The contracts: what an engine offers, what a program needs from outside itself, and how failures are told. */
export * from './errors.ts'
export * from './store.ts'
export * from './world.ts'
