import type { Plain } from '../operator-calls.ts'

/** The named fields of a call's argument, or of an answer; none when it is something else. */
export function fieldsOf(argument: Plain): Readonly<Record<string, unknown>> {
  if (typeof argument !== 'object' || argument === null || Array.isArray(argument)) return {}
  return argument as Readonly<Record<string, unknown>>
}
