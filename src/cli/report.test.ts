import { describe, expect, test } from 'vitest'
import { AlthingError } from '../contracts/errors.ts'
import { failureText, usageFailure } from './report.ts'

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

describe('a failure', () => {
  test('is one line with its code', () => {
    expect(failureText(new AlthingError('not-found', 'there is no key a'))).toBe(
      'althing: there is no key a [not-found]\n',
    )
  })

  test('for want of a sign-in says how to sign in here', () => {
    expect(failureText(new AlthingError('unauthenticated', 'access control is on'))).toBe(
      'althing: access control is on [unauthenticated]\nSet ALTHING_TOKEN, or ALTHING_USER and ALTHING_PASSWORD: they say who calls. (PostgreSQL and Redis are told in the URL.)\n',
    )
  })
})
