import type {
  ConfigDifference,
  ConfigDocument,
  ConfigVersion,
  HistoryItem,
  InstanceReport,
  ScopeSummary,
  ShownValue,
} from '../coordination/config/config-types.ts'
import { formatTable } from './format-table.ts'
import { formatTime } from './format-time.ts'

export function formatScopes(scopes: readonly ScopeSummary[]): string {
  if (scopes.length === 0) return 'nothing is configured\n'
  return formatTable([
    ['SCOPE', 'VERSION', 'STAGED', 'KEYS', 'SCHEMA', 'BY', 'AT'],
    ...scopes.map(({ scope, stable, staged, keys, hasSchema, author, atMs }) => [
      scope,
      stable,
      staged === undefined ? '' : `${staged.version} for ${staged.share} %`,
      keys,
      hasSchema ? 'yes' : 'no',
      author,
      formatTime(atMs),
    ]),
  ])
}

export function formatDocument({ scope, latest, stable, staged }: ConfigDocument): string {
  if (latest === 0) return `${scope}: nothing is written\n`
  const head = `${scope}: version ${stable.version}\n${formatVersion(stable)}`
  if (staged === undefined) return head
  const { version, share, match } = staged
  const labels = Object.entries(match ?? {}).map(([name, value]) => ` and ${name}=${value}`)
  return `${head}staged: version ${version.version} for ${share} %${labels.join('')}\n${formatVersion(version)}`
}

function formatVersion({ values, instances }: ConfigVersion): string {
  const own = Object.entries(values).map(([key, value]) => `  ${key} = ${formatValue(value)}\n`)
  const theirs = Object.entries(instances).flatMap(([instance, each]) =>
    Object.entries(each).map(([key, value]) => `  ${key} = ${formatValue(value)} (instance ${instance})\n`),
  )
  return [...own, ...theirs].join('')
}

/** A line for each version, the newest first, and one for each step of its release. */
export function formatHistory(history: readonly HistoryItem[]): string {
  if (history.length === 0) return 'no version is kept\n'
  return history
    .map(({ version, cause, author, message, atMs, steps }) => {
      const what = 'of' in cause ? `${cause.kind} to ${cause.of}` : cause.kind
      const line = `${version}  ${formatTime(atMs)}  ${author}  ${what}${message === '' ? '' : `  ${message}`}\n`
      const released = steps.map(
        (step) =>
          `    ${step.step}, ${step.share} %  ${formatTime(step.atMs)}  ${step.author}${step.message === '' ? '' : `  ${step.message}`}\n`,
      )
      return line + released.join('')
    })
    .join('')
}

export function formatDifferences(differences: readonly ConfigDifference[]): string {
  if (differences.length === 0) return 'no difference\n'
  return differences
    .map(({ key, instance, before, after }) => {
      const name = instance === undefined ? key : `${key} (instance ${instance})`
      const lines = [...(before === undefined ? [] : [`- ${name} = ${formatValue(before)}\n`])]
      return [...lines, ...(after === undefined ? [] : [`+ ${name} = ${formatValue(after)}\n`])].join('')
    })
    .join('')
}

export function formatInstances(instances: readonly InstanceReport[]): string {
  if (instances.length === 0) return 'no instance reads it\n'
  return formatTable([
    ['SERVICE', 'INSTANCE', 'VERSION', 'GLOBAL', 'PLACE', 'FROM', 'PROBLEM'],
    ...instances.map(({ service, instance, version, globalVersion, place, source, problem }) => [
      service,
      instance,
      version,
      globalVersion,
      `${place} %`,
      source,
      problem?.message ?? '',
    ]),
  ])
}

function formatValue(value: ShownValue): string {
  return 'value' in value ? JSON.stringify(value.value) : `(secret, key ${value.key})`
}
