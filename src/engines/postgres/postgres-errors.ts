import type { AttemptFailure } from '../batch-queue.ts'
import { AlthingError, asAlthingError, type ErrorCode, isAlthingError } from '../../contracts/errors.ts'

/** What a failed attempt means. */
/** By SQLSTATE, whole or by class (its first two characters). What is not named is `internal`. */
const codes: Readonly<Record<string, ErrorCode>> = {
  '08': 'unavailable',
  '53': 'overloaded',
  '57': 'unavailable',
  '28': 'unauthenticated',
  '25006': 'unavailable',
  '40001': 'unavailable',
  '40P01': 'unavailable',
  '55P03': 'unavailable',
  '57014': 'timeout',
  '53100': 'no-space',
  '3D000': 'not-found',
  '3F000': 'not-found',
  '42P01': 'not-found',
  '42883': 'not-found',
  '42501': 'permission-denied',
}
const passing: ReadonlySet<ErrorCode> = new Set(['unavailable', 'overloaded'])

/** A failure of the library or of the server. `wasSent`: the statement had left for the server. */
export function failureOf(error: unknown, wasSent: boolean): AttemptFailure {
  if (isAlthingError(error))
    return { error, isPassing: passing.has(error.code), isAmbiguous: wasSent && error.outcome === 'unknown' }
  const { code: state, severity } = error as { readonly code?: unknown; readonly severity?: unknown }
  const message = error instanceof Error ? error.message : String(error)
  if (typeof state === 'string' && typeof severity === 'string') {
    const code = codes[state] ?? codes[state.slice(0, 2)] ?? 'internal'
    const said = new AlthingError(code, `PostgreSQL answers: ${message} (SQLSTATE ${state})`, {
      cause: error,
      details: { sqlState: state },
    })
    // An error ends the transaction; what ends the session may have come between the commit and its acknowledgement.
    return {
      error: said,
      isPassing: passing.has(code),
      isAmbiguous: wasSent && severity !== 'ERROR',
    }
  }
  // A defect on this side says nothing of the connection.
  if (error instanceof TypeError || error instanceof RangeError)
    return { error: asAlthingError(error), isPassing: false, isAmbiguous: wasSent }
  const lost = new AlthingError('unavailable', `PostgreSQL cannot be reached: ${message}`, { cause: error })
  return { error: lost, isPassing: true, isAmbiguous: wasSent }
}

/** The connection leads to a standby: what it answers may be old. */
export function standbyError(): AlthingError {
  return new AlthingError(
    'unavailable',
    'this server is a standby (pg_is_in_recovery), which neither writes nor reads the newest: connect to the primary',
    { outcome: 'none' },
  )
}
