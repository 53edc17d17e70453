import type { Plain } from '../operator-calls.ts'

/** The named fields of an operator call's answer; none when it is something else. What each is worth is for the caller to check. */
export function answerFields(answer: Plain): Readonly<Record<string, unknown>> {
  if (typeof answer !== 'object' || answer === null || Array.isArray(answer)) return {}
  return answer as Readonly<Record<string, unknown>>
}
