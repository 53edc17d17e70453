import { describe, expect, test } from 'vitest'
import {
  AlthingError,
  asAlthingError,
  errorFromJson,
  invalidArgument,
  isAlthingError,
  withOutcome,
} from './errors.ts'

describe('AlthingError', () => {
  test('crosses a process as JSON, with all but its cause', () => {
    const error = new AlthingError('compacted', 'too old', {
      outcome: 'none',
      cause: new Error('x'),
      details: { compactRevision: 7 },
    })
    const copy = errorFromJson(JSON.parse(JSON.stringify(error)))
    expect(copy).toMatchObject({
      code: 'compacted',
      message: 'too old',
      outcome: 'none',
      retryable: false,
      details: { compactRevision: 7 },
    })
    expect(isAlthingError(copy, 'compacted')).toBe(true)
  })

  test('a code that this version does not know becomes internal', () => {
    expect(
      errorFromJson({ code: 'from-the-future' as 'internal', message: 'm', retryable: true }),
    ).toMatchObject({
      code: 'internal',
      retryable: true,
    })
  })

  test('is known by its brand, not by its class', () => {
    const foreign = Object.assign(new Error('m'), { [Symbol.for('althing.error')]: true, code: 'closed' })
    expect(isAlthingError(foreign, 'closed')).toBe(true)
    expect(isAlthingError(new Error('closed'))).toBe(false)
    expect(isAlthingError(undefined)).toBe(false)
  })

  test('a foreign failure becomes internal with outcome unknown, and keeps its cause', () => {
    const cause = new TypeError('boom')
    expect(asAlthingError(cause)).toMatchObject({
      code: 'internal',
      message: 'boom',
      outcome: 'unknown',
      cause,
    })
    expect(withOutcome(asAlthingError(cause), 'none').outcome).toBe('none')
  })

  test('an invalid argument names the field, what was given and what is allowed, whatever was given', () => {
    expect(invalidArgument('limit', -1, 'a whole number >= 0').message).toBe(
      'limit is -1, but must be a whole number >= 0',
    )
    const circle: Record<string, unknown> = {}
    circle.self = circle
    expect(invalidArgument('value', circle, 'plain').message).toBe(
      'value is [object Object], but must be plain',
    )
    expect(invalidArgument('id', 5n, 'a number').message).toContain('5n')
    expect(invalidArgument('text', 'x'.repeat(10_000), 'short').message.length).toBeLessThan(200)
  })
})
