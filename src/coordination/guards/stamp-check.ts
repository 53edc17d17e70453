import { AlthingError, invalidArgument } from '../../contracts/errors.ts'
import type { FenceStamp } from '../fencing.ts'

/** More holders at a time than this do not fit into what is shown to a resource. */
export const liveMax = 512

const nameCharsMax = 1_024

/** Throws `invalid-argument` unless it is what `hold.stamp`, or the fence of a leadership, is. */
export function checkStamp(stamp: FenceStamp): void {
  const allowed = 'the stamp of a hold, or the fence of a leadership'
  if (typeof stamp !== 'object' || stamp === null || !isToken(stamp.token)) {
    throw invalidArgument('stamp', stamp, allowed)
  }
  if (stamp.kind === undefined || stamp.kind === 'shared') return
  if (stamp.kind !== 'member' || !isToken(stamp.asOf) || !Array.isArray(stamp.live)) {
    throw invalidArgument('stamp', stamp, allowed)
  }
  const { live, token } = stamp
  if (live.length > liveMax) {
    throw invalidArgument(
      'stamp.live',
      `${live.length} tokens`,
      `at most ${liveMax}: guard a semaphore of fewer holders`,
    )
  }
  if (!live.every(isToken) || !live.includes(token)) throw invalidArgument('stamp', stamp, allowed)
}

export function checkResource(resource: string): void {
  if (typeof resource === 'string' && resource.length > 0 && resource.length <= nameCharsMax) return
  throw invalidArgument('resource', resource, `1..${nameCharsMax} characters`)
}

export function isToken(token: unknown): token is number {
  return Number.isSafeInteger(token) && (token as number) > 0
}

/** A later holder was here before. */
export function refusedStamp(resource: string, { token }: FenceStamp): AlthingError {
  return new AlthingError(
    'stale-token',
    `token ${token} is refused: a later holder has used ${resource} already, nothing was changed`,
    { outcome: 'none', details: { token, resource } },
  )
}
