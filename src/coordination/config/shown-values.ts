import { differences } from './config-document.ts'
import type { SecretPlace } from './config-document.ts'
import type { ConfigRecord, HistoryEntry, StoredValue, StoredValues, StoredVersion } from './config-record.ts'
import type {
  ConfigDifference,
  ConfigDocument,
  ConfigVersion,
  HistoryItem,
  ScopeSummary,
  ShownValue,
  ShownValues,
} from './config-types.ts'
import type { SecretBox } from './secret-box.ts'

/** With a box secrets are opened; without, nothing is told of them but that they are there and by which key they are sealed. */
export function shownValue(stored: StoredValue, place: SecretPlace, box?: SecretBox): ShownValue {
  if ('value' in stored) return { value: stored.value, isSecret: false }
  const { key } = stored.secret
  return box === undefined
    ? { isSecret: true, key }
    : { isSecret: true, key, value: box.open(place, stored.secret) }
}

function shownValues(values: StoredValues, place: Omit<SecretPlace, 'key'>, box?: SecretBox): ShownValues {
  const entries = Object.entries(values).map(
    ([key, stored]) => [key, shownValue(stored, { ...place, key }, box)] as const,
  )
  return Object.fromEntries(entries.toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

export function shownVersion(scope: string, stored: StoredVersion, box?: SecretBox): ConfigVersion {
  const { version, cause, author, message, atMs } = stored
  const instances = Object.entries(stored.instances).map(
    ([instance, values]) => [instance, shownValues(values, { scope, instance }, box)] as const,
  )
  return {
    version,
    cause,
    author,
    message,
    atMs,
    values: shownValues(stored.values, { scope }, box),
    instances: Object.fromEntries(instances),
  }
}

export function shownDocument(scope: string, record: ConfigRecord, box?: SecretBox): ConfigDocument {
  const { latest, stable, staged, schema } = record
  return {
    scope,
    latest,
    stable: shownVersion(scope, stable, box),
    ...(staged === undefined
      ? {}
      : {
          staged: { version: shownVersion(scope, staged.version, box), ...staged.rule, steps: staged.steps },
        }),
    ...(schema === undefined ? {} : { schema }),
  }
}

export function shownDifferences(
  scope: string,
  before: StoredVersion,
  after: StoredVersion,
  box?: SecretBox,
): readonly ConfigDifference[] {
  return differences(before, after).map(({ key, instance, before: old, after: now }) => {
    const place = { scope, key, ...(instance === undefined ? {} : { instance }) }
    return {
      key,
      ...(instance === undefined ? {} : { instance }),
      ...(old === undefined ? {} : { before: shownValue(old, place, box) }),
      ...(now === undefined ? {} : { after: shownValue(now, place, box) }),
    }
  })
}

export function historyItem({ version, cause, author, message, atMs, steps }: HistoryEntry): HistoryItem {
  return { version, cause, author, message, atMs, steps }
}

export function summaryOf(scope: string, { latest, stable, staged, schema }: ConfigRecord): ScopeSummary {
  const newest = staged?.version ?? stable
  return {
    scope,
    latest,
    stable: stable.version,
    ...(staged === undefined ? {} : { staged: { version: staged.version.version, ...staged.rule } }),
    keys: Object.keys(newest.values).length,
    hasSchema: schema !== undefined,
    author: newest.author,
    atMs: newest.atMs,
  }
}
