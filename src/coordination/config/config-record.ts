import { bytesFromText, textFromBytes, type ByteString } from '../../base/bytes.ts'
import { AlthingError, invalidArgument } from '../../contracts/errors.ts'
import { registryName } from '../discovery/instance-entry.ts'
import { prefixRange } from '../locks/lock-entry.ts'
import type { JsonSchema } from './json-schema.ts'
import type { JsonValue } from '../../base/json-value.ts'

/**
 * The keys of configurations. A scope is a service's name, or `*` for what all services share.
 *
 *     /althing/config/current/SCOPE                what readers follow: the stable version whole, the staged one if there is one, the schema
 *     /althing/config/history/SCOPE/VERSION        each version whole, of the last hundred
 *     /althing/config/instances/SERVICE/ID/RANDOM  what one reader runs, on its lease
 */
export const configPrefix: ByteString = '/althing/config/'
const currentPrefix = `${configPrefix}current/`
const historyPrefix = `${configPrefix}history/`
const instancesPrefix = `${configPrefix}instances/`

/** The scope of the layer that all services share. */
export const globalScope = '*'

/** One value as it is stored. */
export type StoredValue = { readonly value: JsonValue } | { readonly secret: SealedSecret }

/** AES-256-GCM: the value under a data key of its own, and that key under the master key `key`. Base64, each with its nonce before it. */
export interface SealedSecret {
  readonly key: string
  readonly dataKey: string
  readonly data: string
}

export type StoredValues = Readonly<Record<string, StoredValue>>

/** What made a version. */
export type VersionCause =
  | { readonly kind: 'write' }
  | { readonly kind: 'schema' }
  /** The content of version `of` again. */
  | { readonly kind: 'rollback' | 'abort'; readonly of: number }

/** One version of a scope, whole. Never changed, but for the envelopes of its secrets when keys are rotated. */
export interface StoredVersion {
  readonly version: number
  readonly values: StoredValues
  /** What single instances have instead. */
  readonly instances: Readonly<Record<string, StoredValues>>
  readonly cause: VersionCause
  readonly author: string
  readonly message: string
  /** By the writer's clock, milliseconds since 1970. */
  readonly atMs: number
}

/** Which instances a staged version is for: those of the share, and those that have all these labels. */
export interface ReleaseRule {
  /** Percent of the instances, 0..100. */
  readonly share: number
  readonly match?: Readonly<Record<string, string>>
}

/** One step in the release of a version. */
export interface ReleaseStep extends ReleaseRule {
  readonly step: 'staged' | 'widened' | 'promoted' | 'aborted'
  readonly author: string
  readonly message: string
  readonly atMs: number
}

export interface ConfigRecord {
  /** Drawn when the scope is first written: after a removal its numbers begin anew. */
  readonly lineage: string
  readonly latest: number
  readonly stable: StoredVersion
  readonly staged?: {
    readonly version: StoredVersion
    readonly rule: ReleaseRule
    readonly steps: readonly ReleaseStep[]
  }
  readonly schema?: JsonSchema
}

export interface HistoryEntry extends StoredVersion {
  readonly steps: readonly ReleaseStep[]
}

/** Before anything was written. */
export const emptyVersion: StoredVersion = {
  version: 0,
  values: {},
  instances: {},
  cause: { kind: 'write' },
  author: '',
  message: '',
  atMs: 0,
}

export function checkedScope(scope: string): string {
  return scope === globalScope ? scope : registryName('service', scope)
}

export function currentKey(scope: string): ByteString {
  return currentPrefix + checkedScope(scope)
}

export const currentRange = prefixRange(currentPrefix)

export function scopeOfCurrentKey(key: ByteString): string {
  return key.slice(currentPrefix.length)
}

export function historyRange(scope: string): { readonly key: ByteString; readonly end: ByteString } {
  return prefixRange(`${historyPrefix}${checkedScope(scope)}/`)
}

export function historyKey(scope: string, version: number): ByteString {
  return historyRange(scope).key + String(version).padStart(12, '0')
}

/** Of one service, or of all. */
export function instancesRange(scope: string): { readonly key: ByteString; readonly end: ByteString } {
  return prefixRange(scope === globalScope ? instancesPrefix : `${instancesPrefix}${checkedScope(scope)}/`)
}

export function instanceReportKey(service: string, instance: string, reader: string): ByteString {
  return `${instancesRange(registryName('service', service)).key}${instance}/${reader}`
}

export function encodeRecord(record: ConfigRecord | HistoryEntry): Uint8Array {
  return bytesFromText(JSON.stringify(record))
}

/** Throws `corrupt`, naming the key. */
export function decodeRecord(key: ByteString, value: Uint8Array): ConfigRecord {
  const record = decodeObject(key, value) as Partial<ConfigRecord>
  const isWhole =
    typeof record.lineage === 'string' &&
    typeof record.latest === 'number' &&
    isVersion(record.stable) &&
    (record.staged === undefined || (isVersion(record.staged.version) && isRule(record.staged.rule)))
  if (!isWhole) throw corrupt(key)
  return record as ConfigRecord
}

/** Throws `corrupt`, naming the key. */
export function decodeHistoryEntry(key: ByteString, value: Uint8Array): HistoryEntry {
  const entry = decodeObject(key, value)
  if (!isVersion(entry) || !Array.isArray((entry as Partial<HistoryEntry>).steps)) throw corrupt(key)
  return entry as HistoryEntry
}

function decodeObject(key: ByteString, value: Uint8Array): object {
  let decoded: unknown
  try {
    decoded = JSON.parse(textFromBytes(value))
  } catch (cause) {
    throw corrupt(key, cause)
  }
  if (typeof decoded !== 'object' || decoded === null) throw corrupt(key)
  return decoded
}

function isVersion(value: unknown): value is StoredVersion {
  if (typeof value !== 'object' || value === null) return false
  const { version, values, instances, author, atMs, cause } = value as Partial<StoredVersion>
  return (
    Number.isSafeInteger(version) &&
    isStoredValues(values) &&
    typeof instances === 'object' &&
    instances !== null &&
    Object.values(instances).every(isStoredValues) &&
    typeof author === 'string' &&
    typeof atMs === 'number' &&
    typeof cause === 'object'
  )
}

function isStoredValues(values: unknown): values is StoredValues {
  if (typeof values !== 'object' || values === null) return false
  return Object.values(values).every(
    (each: unknown) =>
      typeof each === 'object' &&
      each !== null &&
      ('value' in each || isSealed((each as { secret?: unknown }).secret)),
  )
}

function isSealed(secret: unknown): boolean {
  if (typeof secret !== 'object' || secret === null) return false
  const { key, dataKey, data } = secret as Partial<SealedSecret>
  return typeof key === 'string' && typeof dataKey === 'string' && typeof data === 'string'
}

function isRule(rule: unknown): rule is ReleaseRule {
  return typeof rule === 'object' && rule !== null && typeof (rule as Partial<ReleaseRule>).share === 'number'
}

function corrupt(key: ByteString, cause?: unknown): AlthingError {
  return new AlthingError('corrupt', `${key} does not hold a configuration in the form this package writes`, {
    cause,
    details: { key },
  })
}

const keyPattern = /^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}$/

/** The name of one value. */
export function checkedKey(field: string, key: string): string {
  if (typeof key === 'string' && keyPattern.test(key)) return key
  throw invalidArgument(
    field,
    key,
    '1..128 characters of A-Z a-z 0-9 . _ / -, beginning with a letter or digit',
  )
}
