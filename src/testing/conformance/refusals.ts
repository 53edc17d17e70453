import { strict as check } from 'node:assert'
import { type AlthingError, type ErrorCode, isAlthingError } from '../../contracts/errors.ts'

/** The error of a call that must be refused with one of the codes. */
export async function refused(
  call: Promise<unknown>,
  codes: ErrorCode | readonly ErrorCode[],
  what: string,
): Promise<AlthingError> {
  const wanted = typeof codes === 'string' ? [codes] : codes
  const error = await failureOf(call)
  check.ok(error !== undefined, `${what} is refused with ${wanted.join(' or ')}, but was done`)
  check.ok(
    wanted.includes(error.code),
    `${what} is refused with ${wanted.join(' or ')}, not with ${error.code}: ${error.message}`,
  )
  return error
}

/** As {@link refused}, of a mutating call, which says that nothing was and will be done. */
export async function refusedChange(
  call: Promise<unknown>,
  codes: ErrorCode | readonly ErrorCode[],
  what: string,
): Promise<AlthingError> {
  const error = await refused(call, codes, what)
  check.equal(error.outcome, 'none', `the outcome of ${what} (${error.code})`)
  return error
}

/** The error of a call; `undefined` when it succeeds. Whatever is thrown must be an `AlthingError`. */
export async function failureOf(call: Promise<unknown>): Promise<AlthingError | undefined> {
  try {
    await call
    return undefined
  } catch (error) {
    check.ok(isAlthingError(error), `a call rejects with an AlthingError, not with ${String(error)}`)
    return error
  }
}
