import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { JsonSchemaCheck, jsonSchemaFrom } from './json-schema.ts'
import { isRiskyPattern } from './pattern-risk.ts'

describe('schemas stored with a configuration', () => {
  test('say of each value that does not fit where it is and why', () => {
    const check = new JsonSchemaCheck(
      jsonSchemaFrom({
        type: 'object',
        properties: {
          pool: { type: 'integer', minimum: 1 },
          db: { type: 'object', properties: { port: { multipleOf: 5 } } },
          secret: { writeOnly: true },
          host: { type: 'string' },
        },
        required: ['host'],
        additionalProperties: false,
      }),
    )
    const issues = check.issues({ pool: 0, db: { port: 3 }, odd: 1 })
    expect(issues.map(({ path }) => path.join('.')).toSorted()).toEqual(['db.port', 'host', 'odd', 'pool'])
    expect(issues).toContainEqual({ path: ['host'], message: 'it is required' })
    expect(issues).toContainEqual({ path: ['odd'], message: 'the schema has no such key' })
    expect(check.issues({ host: 'x', pool: 1 })).toEqual([])
    expect([check.isSecret('secret'), check.isSecret('pool')]).toEqual([true, false])
  })

  test('are derived from a schema that can tell its own form', () => {
    const schema = jsonSchemaFrom(z.object({ pool: z.number().min(1).default(5), at: z.string().optional() }))
    expect(new JsonSchemaCheck(schema).issues({})).toEqual([])
    expect(new JsonSchemaCheck(schema).issues({ pool: 0 })).toHaveLength(1)
    expect(() => jsonSchemaFrom(z.object({ at: z.date() }))).toThrow(/JSON Schema/)
  })

  test.each([
    [{ type: 'array' }, /schema.type is "array"/],
    [{ properties: { a: { type: 'strin' } } }, /schema.properties.a.type is "strin"/],
    [{ properties: { a: { pattern: '(' } } }, /schema.properties.a.pattern/],
    [{ properties: { a: { pattern: '(a+)+$' } } }, /could take for ever/],
    [{ properties: { a: { $ref: 'https://example.com/s' } } }, /\$ref/],
    [{ properties: { a: { $ref: '#/$defs/none' } } }, /a part that is there/],
    [{ description: 'x'.repeat(70_000) }, /at most 65536/],
  ])('are refused when they could not be kept: %j', (schema, message) => {
    expect(() => jsonSchemaFrom(schema as never)).toThrow(message)
  })

  test.each([
    ['^[a-z]+$', false],
    ['(ab)+', false],
    ['(a|b){1,3}', true],
    ['(?:a+)*', true],
    ['((a)b?c)+', false],
    ['([a|b+])+', false],
    ['(\\(a\\)+x)*', true],
    ['(a+)?', false],
    ['((a|b))*', true],
  ])('pattern %s: matching may take for ever: %s', (pattern, expected) => {
    expect(isRiskyPattern(pattern)).toBe(expected)
  })
})
