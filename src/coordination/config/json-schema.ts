import { type OutputUnit, type Schema, Validator } from '@cfworker/json-schema'
import { invalidArgument } from '../../contracts/errors.ts'
import type { JsonValue } from '../../base/json-value.ts'
import { jsonValue } from './json-value.ts'
import { isRiskyPattern } from './pattern-risk.ts'
import { isStandardSchema, type SchemaIssue, type StandardSchema } from './standard-schema.ts'

/** JSON Schema, draft 2020-12, of an object: references lead into the schema itself. */
export type JsonSchema = Readonly<Record<string, JsonValue>>

const schemaCharsMax = 65_536
const typeNames = ['null', 'boolean', 'object', 'array', 'number', 'integer', 'string']

/** Only say that something below did not fit; what it was is said there. */
const wrappers = new Set([
  'properties',
  'patternProperties',
  'items',
  'prefixItems',
  'additionalItems',
  'additionalProperties',
  'unevaluatedProperties',
  '$ref',
  'allOf',
])

/** Checks values against a stored schema. */
export class JsonSchemaCheck {
  readonly #validator: Validator
  readonly #writeOnly: ReadonlySet<string>

  constructor(schema: JsonSchema) {
    this.#validator = new Validator(schema as Schema, '2020-12', false)
    const properties = (schema['properties'] ?? {}) as Readonly<Record<string, JsonValue>>
    const names = Object.keys(properties).filter((name) => {
      const property = properties[name]
      return (
        typeof property === 'object' &&
        property !== null &&
        'writeOnly' in property &&
        property['writeOnly'] === true
      )
    })
    this.#writeOnly = new Set(names)
  }

  /** `writeOnly`, in JSON Schema's own words: not to be shown to readers. Such values are kept as secrets. */
  isSecret(key: string): boolean {
    return this.#writeOnly.has(key)
  }

  issues(values: Readonly<Record<string, JsonValue>>): readonly SchemaIssue[] {
    const { valid, errors } = this.#validator.validate(values)
    if (valid) return []
    const leaves = errors.filter(({ keyword }) => !wrappers.has(keyword))
    return (leaves.length > 0 ? leaves : errors).map(issueOf)
  }
}

function issueOf({ instanceLocation, keyword, error }: OutputUnit): SchemaIssue {
  const path = instanceLocation
    .split('/')
    .slice(1)
    .map((part) => decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~'))
  if (keyword === 'required') {
    const missing = /required property "(.*)"/.exec(error)?.[1]
    if (missing !== undefined) return { path: [...path, missing], message: 'it is required' }
  }
  if (keyword === 'false') return { path, message: 'the schema has no such key' }
  return { path, message: error }
}

/**
 * The JSON Schema to store: as given, or as a Standard Schema tells it of itself. Throws `invalid-argument` for one that this package could not check with: of unknown types, with references
 * out of itself, with patterns that can take for ever, or too large.
 */
export function jsonSchemaFrom(schema: JsonSchema | StandardSchema): JsonSchema {
  const given = isStandardSchema(schema) ? derived(schema) : schema
  const copy = jsonValue('schema', given)
  if (typeof copy !== 'object' || copy === null || Array.isArray(copy))
    throw invalidArgument('schema', given, 'a JSON Schema of an object')
  const root = copy as JsonSchema
  if (root['type'] !== undefined && root['type'] !== 'object')
    throw invalidArgument(
      'schema.type',
      root['type'],
      "'object': a configuration is a set of keys with values",
    )
  const { length } = JSON.stringify(root)
  if (length > schemaCharsMax)
    throw invalidArgument('schema', `${length} characters`, `at most ${schemaCharsMax}`)
  checkParts('schema', root, root)
  try {
    new JsonSchemaCheck(root).issues({})
  } catch (cause) {
    const problem = cause instanceof Error ? cause.message : String(cause)
    throw invalidArgument('schema', problem, 'a JSON Schema that can be used')
  }
  return root
}

function derived(schema: StandardSchema): unknown {
  const { jsonSchema, vendor } = schema['~standard']
  if (jsonSchema === undefined)
    throw invalidArgument('schema', vendor, 'a schema that can tell its JSON Schema, or a JSON Schema itself')
  try {
    return jsonSchema.input({ target: 'draft-2020-12' })
  } catch (cause) {
    const problem = cause instanceof Error ? cause.message : String(cause)
    throw invalidArgument('schema', problem, 'a schema that JSON Schema can say')
  }
}

/** Keywords whose value holds names of the user's, or plain values: what is below is no keyword. */
const nameMaps = new Set(['properties', 'patternProperties', '$defs', 'definitions', 'dependentSchemas'])
const plainValues = new Set(['const', 'enum', 'default', 'examples', 'required', 'dependentRequired'])

function checkParts(field: string, part: JsonValue, root: JsonSchema): void {
  if (Array.isArray(part)) {
    part.forEach((each: JsonValue, i) => checkParts(`${field}.${i}`, each, root))
    return
  }
  if (typeof part !== 'object' || part === null) return
  for (const [keyword, value] of Object.entries(part as JsonSchema)) {
    const place = `${field}.${keyword}`
    if (plainValues.has(keyword)) continue
    if (keyword === 'patternProperties')
      for (const name of Object.keys(value as JsonSchema)) checkPattern(place, name)
    if (nameMaps.has(keyword)) {
      for (const [name, each] of Object.entries(value as JsonSchema))
        checkParts(`${place}.${name}`, each, root)
      continue
    }
    checkKeyword(place, keyword, value)
    if (keyword === '$ref') checkReference(place, value, root)
    checkParts(place, value, root)
  }
}

function checkKeyword(field: string, keyword: string, value: JsonValue): void {
  if (keyword === 'type') {
    const names: readonly unknown[] = Array.isArray(value) ? value : [value]
    if (!names.every((name) => typeof name === 'string' && typeNames.includes(name)))
      throw invalidArgument(field, value, `of ${typeNames.join(', ')}`)
  }
  if (keyword === 'pattern') checkPattern(field, value)
}

/** A JSON pointer (RFC 6901) to a part of the schema itself. */
function checkReference(field: string, value: JsonValue, root: JsonSchema): void {
  const allowed = 'a reference into the schema itself, to a part that is there (#/...)'
  if (typeof value !== 'string' || !/^#(?:\/|$)/.test(value)) throw invalidArgument(field, value, allowed)
  let part: JsonValue | undefined = root
  for (const name of value.split('/').slice(1)) {
    const key = decodeURIComponent(name).replaceAll('~1', '/').replaceAll('~0', '~')
    const holder: JsonValue = part
    if (typeof holder !== 'object' || holder === null || !Object.hasOwn(holder, key))
      throw invalidArgument(field, value, allowed)
    part = (holder as JsonSchema)[key] as JsonValue
  }
}

function checkPattern(field: string, pattern: JsonValue): void {
  if (typeof pattern !== 'string') throw invalidArgument(field, pattern, 'a regular expression')
  try {
    RegExp(pattern, 'u')
  } catch (cause) {
    throw invalidArgument(
      field,
      pattern,
      `a regular expression (${cause instanceof Error ? cause.message : 'invalid'})`,
    )
  }
  if (isRiskyPattern(pattern))
    throw invalidArgument(
      field,
      pattern,
      'without repeated groups that repeat or branch themselves: matching could take for ever',
    )
}
