import { asAlthingError } from '../../contracts/errors.ts'
import {
  type OpenedValues,
  openValues,
  refusedBySchema,
  standardResult,
  storedSchemaIssues,
} from './config-check.ts'
import { mergeLayers, type MergedValues } from './config-document.ts'
import { type ConfigRecord, emptyVersion, globalScope, type StoredVersion } from './config-record.ts'
import type { ConfigProblem, ConfigState } from './config-types.ts'
import { JsonSchemaCheck } from './json-schema.ts'
import type { SecretBox } from './secret-box.ts'
import type { StandardSchema } from './standard-schema.ts'
import { type InstanceIdentity, versionFor } from './staged-release.ts'

/** The records that one instance's view is made of, as the store has them. */
export interface Records {
  readonly global: ConfigRecord | undefined
  readonly service: ConfigRecord | undefined
}

export type ConfigView<Values> = Omit<ConfigState<Values>, 'source' | 'stale' | 'problem'>

interface ViewInput<Values> {
  readonly service: string
  readonly records: Records
  readonly identity: InstanceIdentity
  readonly box: SecretBox
  readonly schema: StandardSchema<Values> | undefined
}

/** The versions that are this instance's, merged. */
export function chosenVersions(
  service: string,
  { global, service: own }: Records,
  identity: InstanceIdentity,
): { readonly global: StoredVersion; readonly service: StoredVersion; readonly merged: MergedValues } {
  const shared = global === undefined ? emptyVersion : versionFor(globalScope, global, identity)
  const version = own === undefined ? emptyVersion : versionFor(service, own, identity)
  const merged = mergeLayers({ global: globalScope, service }, shared, version, identity.instance)
  return { global: shared, service: version, merged }
}

/** What an instance is to see of these records, or why it must not. */
export async function evaluateView<Values>(
  input: ViewInput<Values>,
): Promise<{ readonly view: ConfigView<Values> } | { readonly problem: ConfigProblem }> {
  const { service, records, identity, box, schema } = input
  const chosen = chosenVersions(service, records, identity)
  const { version } = chosen.service
  let opened: OpenedValues
  try {
    opened = openValues(chosen.merged, box)
  } catch (error) {
    return { problem: { kind: 'secret', message: asAlthingError(error).message, version } }
  }
  if (box.hasKeys && opened.sealed.length > 0)
    return { problem: { kind: 'secret', message: sealedMessage(chosen.merged, opened.sealed), version } }
  const stored = records.service?.schema
  const storedIssues = stored === undefined ? [] : storedSchemaIssues(new JsonSchemaCheck(stored), opened)
  const name = { service, instance: identity.instance }
  const refused = (issues: Parameters<typeof refusedBySchema>[1]): { problem: ConfigProblem } => ({
    problem: { kind: 'schema', message: refusedBySchema(name, issues, opened.secrets).message, version },
  })
  if (storedIssues.length > 0) return refused(storedIssues)
  const result =
    schema === undefined ? { value: opened.values as Values } : await standardResult(schema, opened)
  if ('issues' in result) return refused(result.issues)
  const layers = Object.fromEntries([...chosen.merged].map(([key, { layer }]) => [key, layer]))
  return {
    view: {
      values: result.value,
      version,
      globalVersion: chosen.global.version,
      layers,
      sealed: opened.sealed,
    },
  }
}

function sealedMessage(merged: MergedValues, sealed: readonly string[]): string {
  const named = sealed.map((key) => {
    const stored = merged.get(key)?.stored
    return stored !== undefined && 'secret' in stored ? `${key} (key ${stored.secret.key})` : key
  })
  return `no key of this process opens ${named.join(', ')}`
}
