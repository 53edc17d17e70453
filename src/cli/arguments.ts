import { parseDurationMs } from '../base/duration.ts'
import { invalidArgument } from '../contracts/errors.ts'
import { quotaBytesMin } from '../engines/local/store-admission.ts'

/** Reads an option's text, or refuses it by the option's name. */
export function wholeNumber(field: string, text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value <= 0) throw invalidArgument(field, text, 'a whole number > 0')
  return value
}

export function durationMs(field: string, text: string): number {
  const ms = parseDurationMs(text)
  if (ms === undefined || ms <= 0)
    throw invalidArgument(field, text, "a length of time such as '100ms' or '1s'")
  return ms
}

const byteUnits: Readonly<Record<string, number>> = {
  '': 1,
  K: 1024,
  M: 1024 ** 2,
  G: 1024 ** 3,
  T: 1024 ** 4,
}

/** `512MiB`, `2GiB`, or a plain number of bytes. */
export function byteCount(field: string, text: string): number {
  const [, digits = '', unit = ''] = /^(\d+(?:\.\d+)?) ?(?:([KMGT])iB)?$/.exec(text) ?? []
  const bytes = Math.round(Number(digits) * (byteUnits[unit] ?? 0))
  if (digits === '' || !Number.isSafeInteger(bytes) || bytes <= 0)
    throw invalidArgument(field, text, "a size such as '512MiB' or '2GiB'")
  return bytes
}

/** A size that a store's quota may have, as far as its lower end goes. */
export function quotaSize(field: string, text: string): number {
  const bytes = byteCount(field, text)
  const least = `${quotaBytesMin / 1024 ** 2}MiB`
  if (bytes < quotaBytesMin) throw invalidArgument(field, text, `at least ${least}`)
  return bytes
}
