import type { ByteString } from '../../base/bytes.ts'
import { InvariantViolation } from './violation.ts'

/** A recipe that nobody uses any more has no key in the store. */
export function checkNothingLeftBehind(
  prefixes: readonly ByteString[],
  kvs: readonly { readonly key: ByteString }[],
): InvariantViolation | undefined {
  const left = kvs.filter(({ key }) => prefixes.some((prefix) => key.startsWith(prefix)))
  const [first] = left
  if (first === undefined) return undefined
  const what = `${left.length} keys are left, as ${JSON.stringify(first.key)}`
  return new InvariantViolation('nothing-left-behind', what)
}
