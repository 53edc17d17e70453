import { type AlthingError, isAlthingError } from '../contracts/errors.ts'

/** The node is there, and does not take the caller for one that may ask. */
export function isRefusal(error: unknown): error is AlthingError {
  return isAlthingError(error, 'unauthenticated') || isAlthingError(error, 'permission-denied')
}
