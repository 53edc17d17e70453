import { describe, expect, test } from 'vitest'
import {
  AlthingError,
  type ErrorCode,
  errorCodes,
  errorFromJson,
  isAlthingError,
} from '../src/contracts/errors.ts'
import { readText } from './architecture/source-tree.ts'

const codes = Object.keys(errorCodes) as ErrorCode[]
const page = readText('docs/errors.md')

/** The text under each heading of a code. */
function sections(): Map<string, string> {
  const parts = page.split(/^## /m).slice(1)
  return new Map(
    parts.map((part) => {
      const [heading = '', ...body] = part.split('\n')
      return [heading.replaceAll('`', '').trim(), body.join('\n').trim()]
    }),
  )
}

describe('error codes', () => {
  test('docs/errors.md has a section for every code, and for nothing else', () => {
    expect([...sections().keys()].toSorted()).toEqual([...codes].toSorted())
  })

  test('each section says whether the same call may be tried again, as the table of codes does', () => {
    for (const [code, text] of sections()) {
      const stated = /^Retryable: (yes|no)\.$/m.exec(text)?.[1]
      expect(stated, code).toBe(errorCodes[code as ErrorCode].retryable ? 'yes' : 'no')
    }
  })

  test('each section tells the reader what to do', () => {
    for (const [code, text] of sections()) expect(text, code).toMatch(/^What to do: .{20,}/m)
  })

  test('an error keeps code, outcome, details and retryable when it crosses a process', () => {
    for (const code of codes) {
      const error = new AlthingError(code, `about ${code}`, { outcome: 'unknown', details: { limit: 3 } })
      const copy = errorFromJson(JSON.parse(JSON.stringify(error)))
      expect(isAlthingError(copy, code)).toBe(true)
      expect({ ...copy.toJSON() }).toEqual({ ...error.toJSON() })
    }
  })
})
