import { invalidArgument } from '../../contracts/errors.ts'

export const nodeNameCharsMax = 256

/** Throws `invalid-argument` unless the name has 1..256 characters of well-formed text. */
export function checkNodeName(field: string, name: string): string {
  const isName =
    typeof name === 'string' &&
    name.length > 0 &&
    name.length <= nodeNameCharsMax &&
    !/[\ud800-\udfff]/u.test(name)
  if (isName) return name
  throw invalidArgument(field, name, `1..${nodeNameCharsMax} characters of well-formed text`)
}
