import { type AlthingError, asAlthingError, invalidArgument } from '../../contracts/errors.ts'
import type { WatchRequest } from '../../contracts/store.ts'
import { validateKeyRange } from '../../models/store/validate.ts'

/** Throws `invalid-argument` or `too-large`. */
export function validateWatch(request: WatchRequest): void {
  validateKeyRange(request, 'watch')
  const { fromRevision, progressMs } = request
  if (fromRevision !== undefined && !(Number.isSafeInteger(fromRevision) && fromRevision >= 1)) {
    throw invalidArgument('fromRevision', fromRevision, 'a whole number >= 1')
  }
  if (progressMs !== undefined && !(Number.isFinite(progressMs) && progressMs > 0)) {
    throw invalidArgument('progressMs', progressMs, 'milliseconds > 0')
  }
}

/** What a watch ends with at once: `Store.watch` itself never throws. */
export function problemOfWatch(request: WatchRequest): AlthingError | undefined {
  try {
    validateWatch(request)
    return undefined
  } catch (error) {
    return asAlthingError(error)
  }
}
