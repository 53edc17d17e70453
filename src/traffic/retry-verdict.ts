import { AlthingError } from '../contracts/errors.ts'
import type { AttemptFailure } from '../contracts/http.ts'

/** Methods that ask for no change (RFC 9110, 9.2.1). A proxy may send them again by itself; others only when nothing was sent. */
const safeMethods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS'])

export function isSafeMethod(method: string): boolean {
  return safeMethods.has(method)
}

/**
 * Whether the request may be sent again without the risk of acting twice. A reply that did not come in time is not waited for
 * again: the client has waited long enough.
 */
export function isRetrySafe(method: string, failure: AttemptFailure): boolean {
  if (!failure.canReplay) return false
  if (failure.phase === 'connect') return true
  return isSafeMethod(method) && failure.kind !== 'timeout'
}

/** What the client is told when no attempt is left. */
export function refusalAfter(
  method: string,
  failure: AttemptFailure,
  instanceId: string,
): { readonly status: number; readonly error: AlthingError } {
  const isUnknown = failure.phase === 'reply' && !isSafeMethod(method)
  const isTimeout = failure.kind === 'timeout'
  const what = failure.phase === 'connect' ? 'could not be reached' : 'did not reply'
  return {
    status: isTimeout ? 504 : 502,
    error: new AlthingError(
      isTimeout ? 'timeout' : 'unavailable',
      `the instance ${instanceId} ${what} (${failure.message})`,
      { outcome: isUnknown ? 'unknown' : 'none', retryable: !isUnknown },
    ),
  }
}
