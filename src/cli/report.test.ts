import { describe, expect, test } from 'vitest'
import { usageFailure } from './report.ts'

describe('wrong usage', () => {
  test('is one line and where to read on, with no help text after it', () => {
    expect(usageFailure("error: unknown command 'gte'\n(Did you mean get?)\n", false)).toBe(
      "althing: unknown command 'gte' (Did you mean get?) [invalid-argument]\nSee althing --help, or althing COMMAND --help.\n",
    )
  })

  test('is one JSON object where that was asked for', () => {
    expect(JSON.parse(usageFailure("error: missing required argument 'value'\n", true))).toMatchObject({
      error: { code: 'invalid-argument', message: "missing required argument 'value'" },
    })
  })
})
