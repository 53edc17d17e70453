import { AlthingError } from '../../contracts/errors.ts'
import { type MergedValues, mergeLayers } from './config-document.ts'
import { type ConfigRecord, emptyVersion, globalScope, type StoredVersion } from './config-record.ts'
import { JsonSchemaCheck } from './json-schema.ts'
import type { JsonValue } from '../../base/json-value.ts'
import type { SecretBox } from './secret-box.ts'
import { issueFrom, type SchemaIssue, type StandardSchema } from './standard-schema.ts'

/** A merged view with its secrets open, as far as this process has their keys. */
export interface OpenedValues {
  readonly values: Readonly<Record<string, JsonValue>>
  /** Keys left out of it: no key of this process opens them. */
  readonly sealed: readonly string[]
  /** Keys whose values are secrets, open or not. */
  readonly secrets: ReadonlySet<string>
}

/** Throws `corrupt` for a secret that was not sealed for its place. */
export function openValues(merged: MergedValues, box: SecretBox): OpenedValues {
  const values: [string, JsonValue][] = []
  const sealed: string[] = []
  const secrets = new Set<string>()
  for (const [key, { stored, place }] of merged) {
    if ('value' in stored) {
      values.push([key, stored.value])
      continue
    }
    secrets.add(key)
    if (box.canOpen(stored.secret)) values.push([key, box.open(place, stored.secret)])
    else sealed.push(key)
  }
  return { values: Object.fromEntries(values), sealed, secrets }
}

/** A place in the configuration of all services, for messages. */
interface ViewName {
  readonly service: string
  readonly instance?: string
}

/** `invalid-argument`, naming the first field that does not fit, in all its `details.issues`. No word of a secret's value. */
export function refusedBySchema(
  name: ViewName,
  issues: readonly SchemaIssue[],
  secrets: ReadonlySet<string>,
): AlthingError {
  const told = issues.map(({ path, message }) => {
    const [key = ''] = path
    return {
      field: path.join('.'),
      message: secrets.has(key) ? 'the secret does not fit its schema' : message,
    }
  })
  const [first] = told
  const where = `${name.service === globalScope ? 'the global layer' : name.service}${name.instance === undefined ? '' : ` at instance ${name.instance}`}`
  const text = told.slice(0, 5).map(({ field, message }) => (field === '' ? message : `${field}: ${message}`))
  return new AlthingError('invalid-argument', `refused by the schema of ${where}: ${text.join('; ')}`, {
    outcome: 'none',
    details: { ...(first === undefined ? {} : { field: first.field }), ...name, issues: told.slice(0, 50) },
  })
}

/** What the schema says against the values. What is sealed here cannot be judged here, and is not. */
export function storedSchemaIssues(check: JsonSchemaCheck, opened: OpenedValues): readonly SchemaIssue[] {
  return check.issues(opened.values).filter(({ path }) => !opened.sealed.includes(path[0] ?? ''))
}

/** The values as the schema gives them back (defaults, conversions), or what it says against them. */
export async function standardResult<Output>(
  schema: StandardSchema<Output>,
  opened: OpenedValues,
): Promise<{ readonly value: Output } | { readonly issues: readonly SchemaIssue[] }> {
  const result = await schema['~standard'].validate(structuredClone(opened.values))
  if (result.issues === undefined) return { value: result.value }
  return { issues: result.issues.map(issueFrom) }
}

export interface ViewChecks {
  readonly box: SecretBox
  /** The writer's own. */
  readonly schema?: StandardSchema | undefined
}

/**
 * Throws `invalid-argument` when the merged view of the service, or of one of its instances with values of its own, does not fit the schema stored with it or the writer's: with the stable global version as with the
 * staged one.
 */
export async function assertServiceFits(
  service: string,
  version: StoredVersion,
  stored: ConfigRecord['schema'],
  global: ConfigRecord | undefined,
  checks: ViewChecks,
): Promise<void> {
  const check = stored === undefined ? undefined : new JsonSchemaCheck(stored)
  if (check === undefined && checks.schema === undefined) return
  const globals = [
    global?.stable ?? emptyVersion,
    ...(global?.staged === undefined ? [] : [global.staged.version]),
  ]
  for (const shared of globals) {
    for (const instance of [undefined, ...Object.keys(version.instances)]) {
      const merged = mergeLayers({ global: globalScope, service }, shared, version, instance)
      await assertFits({ service, ...(instance === undefined ? {} : { instance }) }, merged, check, checks)
    }
  }
}

/** The same for the global layer alone: against the schema stored with it. */
export async function assertGlobalFits(
  version: StoredVersion,
  stored: ConfigRecord['schema'],
  checks: ViewChecks,
): Promise<void> {
  const check = stored === undefined ? undefined : new JsonSchemaCheck(stored)
  const merged = mergeLayers({ global: globalScope, service: globalScope }, version, emptyVersion, undefined)
  await assertFits({ service: globalScope }, merged, check, checks)
}

async function assertFits(
  name: ViewName,
  merged: MergedValues,
  check: JsonSchemaCheck | undefined,
  { box, schema }: ViewChecks,
): Promise<void> {
  const opened = openValues(merged, box)
  const issues = check === undefined ? [] : storedSchemaIssues(check, opened)
  if (issues.length > 0) throw refusedBySchema(name, issues, opened.secrets)
  if (schema === undefined) return
  const result = await standardResult(schema, opened)
  if (!('issues' in result)) return
  const own = result.issues.filter(({ path }) => !opened.sealed.includes(path[0] ?? ''))
  if (own.length > 0) throw refusedBySchema(name, own, opened.secrets)
}
