import {
  currentKey,
  decodeRecord,
  emptyVersion,
  globalScope,
  type StoredValues,
  type StoredVersion,
} from '../../coordination/config/config-record.ts'
import { versionFor } from '../../coordination/config/staged-release.ts'
import type { EventLog } from '../checkers/event-log.ts'
import { InvariantViolation } from './violation.ts'

/** What a reader was told to run. */
export interface SeenConfig {
  /** This reader in this life of its process. */
  readonly reader: string
  readonly service: string
  readonly instance: string
  readonly version: number
  readonly globalVersion: number
  readonly values: Readonly<Record<string, unknown>>
  /** What was its own in the store when the reader was opened: nothing older is told on the word of the store. */
  readonly openedAt?: { readonly version: number; readonly globalVersion: number }
}

/**
 * Whatever a reader runs is one version of the global layer with one of the service's, each as it was written and each at some time meant for its instance; while it lives, neither goes back. What
 * the schema forbids was never written.
 */
export function checkConfigVersions(
  seen: readonly SeenConfig[],
  isAllowed: (values: Readonly<Record<string, unknown>>) => boolean,
  events: EventLog,
): InvariantViolation | undefined {
  const latest = new Map<string, SeenConfig>()
  const meant = new Map<string, ReadonlyMap<number, StoredVersion>>()
  const meantFor = (scope: string, instance: string): ReadonlyMap<number, StoredVersion> => {
    const versions = meant.get(`${scope}/${instance}`) ?? versionsFor(scope, instance, events)
    meant.set(`${scope}/${instance}`, versions)
    return versions
  }
  for (const state of seen) {
    const { reader, service, instance, version, globalVersion } = state
    const global = meantFor(globalScope, instance).get(globalVersion)
    const own = meantFor(service, instance).get(version)
    const before = latest.get(reader)
    latest.set(reader, state)
    const problem = problemOf(state, before, global, own) ?? forbidden(own, isAllowed)
    if (problem === undefined) continue
    const what = `${reader} was told of version ${version} with ${globalVersion} of the global layer, ${problem}`
    return new InvariantViolation('config-versions', what)
  }
  return undefined
}

function problemOf(
  { instance, version, globalVersion, values, openedAt }: SeenConfig,
  before: SeenConfig | undefined,
  global: StoredVersion | undefined,
  own: StoredVersion | undefined,
): string | undefined {
  if (global === undefined || own === undefined) return 'which was never meant for it'
  for (const known of [before, openedAt])
    if (known !== undefined && (known.version > version || known.globalVersion > globalVersion))
      return `after ${known.version} with ${known.globalVersion}`
  const layers = [global.values, own.values, own.instances[instance] ?? {}]
  const due = sorted(Object.assign({}, ...layers.map(plain)))
  const shown = sorted(values)
  return shown === due ? undefined : `as ${shown}, and it is ${due}`
}

function forbidden(
  own: StoredVersion | undefined,
  isAllowed: (values: Readonly<Record<string, unknown>>) => boolean,
): string | undefined {
  const values = plain(own?.values ?? {})
  return isAllowed(values) ? undefined : `which its schema forbids: ${sorted(values)}`
}

/** By number: those that the store ever had for this instance. */
function versionsFor(scope: string, instance: string, events: EventLog): ReadonlyMap<number, StoredVersion> {
  const versions = new Map([[0, emptyVersion]])
  const key = currentKey(scope)
  for (const { events: changes } of events.between({ key }, 0, Infinity))
    for (const event of changes) {
      if (event.type !== 'put') continue
      const chosen = versionFor(scope, decodeRecord(key, event.kv.value), { instance, labels: {} })
      versions.set(chosen.version, chosen)
    }
  return versions
}

function plain(values: StoredValues): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(values).map(([key, stored]) => [key, 'value' in stored ? stored.value : 'sealed']),
  )
}

function sorted(values: Readonly<Record<string, unknown>>): string {
  return JSON.stringify(Object.entries(values).sort(([a], [b]) => (a < b ? -1 : 1)))
}
