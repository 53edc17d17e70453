/** A known mistake: see `mutations.mjs`. */
export interface Mutation {
  readonly name: string
  /** Below `src`. */
  readonly file: string
  readonly find: string
  readonly replace: string
  readonly source: string
  /** Invariants that may be the first to break. */
  readonly expected?: readonly string[]
  /** Tests, below `src`, that fail: where the simulator cannot see the mistake, or would take long to. */
  readonly test?: string
  readonly quick?: boolean
}

export declare const mutations: readonly Mutation[]
