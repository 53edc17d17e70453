import type { LockExplanation, LockParty } from '../api/types.ts'

/** The other locks of a hold of several: they hang on one lease, and were asked for at one revision. */
export function namesHeldTogether(
  locks: readonly LockExplanation[],
  name: string,
  { lease, token }: Pick<LockParty, 'lease' | 'token'>,
): readonly string[] {
  return locks
    .filter((other) => other.name !== name)
    .filter(({ holders, waiters }) =>
      [...holders, ...waiters].some((party) => party.token === token && party.lease === lease),
    )
    .map((other) => other.name)
}
