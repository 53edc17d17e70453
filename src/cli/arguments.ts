import { parseDurationMs } from '../base/duration.ts'
import { invalidArgument } from '../contracts/errors.ts'

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
