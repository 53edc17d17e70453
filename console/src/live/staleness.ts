import type { Snapshot } from '../api/types.ts'

export interface Staleness {
  /** `undefined`: since before the node started. */
  readonly ageMs: number | undefined
}

/** How old the last known services are by now, where the newest snapshot came `sinceMs` ago; `undefined`: they are not old. */
export function staleness(stale: Snapshot['staleServices'], sinceMs: number): Staleness | undefined {
  if (stale === null) return undefined
  const { ageMs } = stale
  return { ageMs: ageMs === undefined ? undefined : ageMs + Math.max(0, sinceMs) }
}
