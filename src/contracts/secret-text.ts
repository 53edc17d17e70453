import { invalidArgument } from './errors.ts'

/** Of one secret. */
export const secretBytesMin = 16
const secretsMax = 4

/**
 * The secrets of a text with one a line; empty lines and lines that begin with `#` are passed over. Throws `invalid-argument`, which never shows a
 * secret, unless there are 1 to 4.
 */
export function secretsIn(text: string): readonly string[] {
  const secrets = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
  if (secrets.length === 0 || secrets.length > secretsMax)
    throw invalidArgument('secret', `${secrets.length} lines`, `1 to ${secretsMax} secrets, one a line`)
  return secrets
}
