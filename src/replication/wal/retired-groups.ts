import { isBehind } from '../../protocols/raft/log-position.ts'
import type { HardState, LogPosition } from '../../protocols/raft/types.ts'

/** What is kept of a group whose copy has left the node: with it a later copy answers in every election as the one that left would have. */
export interface RetiredGroup {
  readonly hardState: HardState
  /** Where the log ended; of the logs of several copies, the one that is most up-to-date. */
  readonly last: LogPosition
}

/** `before`: what was kept when an earlier copy left. */
export function retiredGroup(
  hardState: HardState,
  { index, term }: LogPosition,
  before: RetiredGroup | undefined,
): RetiredGroup {
  const last = { index, term }
  return { hardState, last: before !== undefined && isBehind(index, term, before.last) ? before.last : last }
}

export function isSameRetired(a: RetiredGroup, b: RetiredGroup): boolean {
  return (
    a.hardState.term === b.hardState.term &&
    a.hardState.vote === b.hardState.vote &&
    a.last.index === b.last.index &&
    a.last.term === b.last.term
  )
}
