import type { FenceStamp } from '../fencing.ts'

/**
 * What a resource outside the store remembers of the holders it has seen, so as to refuse those that came before.
 *
 * - Of one right for one holder at a time (lock, write lock, leadership) the largest token: {@link exclusive}.
 * - Beside it, of read holds, the largest token: {@link shared}. A reader is stale when a later writer was here; a writer, when a later writer or a later reader was.
 * - Of permits, which several hold at a time and give back in any order, no largest token tells who is stale: so the newest list of those who held (`live`, as of
 *   revision `asOf`) that any of them has shown. Who shows an older list must be on it.
 *
 * All tokens of a resource must come from one name: those of different names are not in one order that means anything.
 */
export interface FenceState {
  readonly exclusive: number
  readonly shared: number
  readonly asOf: number
  readonly live: readonly number[]
}

export const initialFenceState: FenceState = { exclusive: 0, shared: 0, asOf: 0, live: [] }

/** The state after `stamp` was here; undefined when it must be refused. */
export function admit(state: FenceState, stamp: FenceStamp): FenceState | undefined {
  const { token } = stamp
  switch (stamp.kind) {
    case undefined:
      return token < state.exclusive || token < state.shared ? undefined : { ...state, exclusive: token }
    case 'shared':
      return token < state.exclusive ? undefined : { ...state, shared: Math.max(state.shared, token) }
    case 'member':
      if (stamp.asOf >= state.asOf) return { ...state, asOf: stamp.asOf, live: stamp.live }
      return state.live.includes(token) ? state : undefined
  }
}
