import type { JsonValue } from '../../base/json-value.ts'
import { invalidArgument } from '../../contracts/errors.ts'

const depthMax = 32

/** A copy of `value`. Throws `invalid-argument`, naming `field` and the place in it, for what JSON does not keep as it is. */
export function jsonValue(field: string, value: unknown, depth = 0): JsonValue {
  if (depth > depthMax) throw invalidArgument(field, '...', `at most ${depthMax} levels deep`)
  switch (typeof value) {
    case 'boolean':
      return value
    case 'string':
      if (/\p{Surrogate}/u.test(value)) throw invalidArgument(field, value, 'well-formed Unicode')
      return value
    case 'number':
      if (!Number.isFinite(value)) throw invalidArgument(field, String(value), 'a finite number')
      if (Number.isInteger(value) && !Number.isSafeInteger(value))
        throw invalidArgument(field, value, 'within 2^53, or given as text: a number would lose digits')
      return value
    case 'object':
      return value === null ? null : jsonContainer(field, value, depth)
    default:
      throw invalidArgument(field, `a ${typeof value}`, 'a JSON value')
  }
}

function jsonContainer(field: string, value: object, depth: number): JsonValue {
  if (Array.isArray(value)) return value.map((item, i) => jsonValue(`${field}.${i}`, item, depth + 1))
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null)
    throw invalidArgument(field, Object.prototype.toString.call(value), 'a JSON value')
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [name, jsonValue(`${field}.${name}`, item, depth + 1)]),
  )
}

/** Whether two JSON values are the same, whatever the order of their names. */
export function equalJson(a: JsonValue, b: JsonValue): boolean {
  return canonicalJson(a) === canonicalJson(b)
}

function canonicalJson(value: JsonValue): string {
  return JSON.stringify(value, (_, each: unknown) =>
    typeof each === 'object' && each !== null && !Array.isArray(each)
      ? Object.fromEntries(Object.entries(each).toSorted(([x], [y]) => (x < y ? -1 : 1)))
      : each,
  )
}
