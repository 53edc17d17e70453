import type { LogPosition } from './types.ts'

/** Whether a log that ends at `index`, with an entry of `term`, is less up-to-date than one that ends at `other`: the later term wins, then the longer log (paper section 5.4.1). */
export function isBehind(index: number, term: number, other: LogPosition): boolean {
  return term === other.term ? index < other.index : term < other.term
}
