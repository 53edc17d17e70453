import { bytesFromText, textFromBytes, type ByteString } from '../../base/bytes.ts'
import { invalidArgument } from '../../contracts/errors.ts'
import type { KeyValue } from '../../contracts/store.ts'
import type { CheckSpec } from './check-types.ts'
import type {
  InstanceHealth,
  InstanceState,
  InstanceUpdate,
  RegisterOptions,
  ServiceInstance,
} from './discovery-types.ts'
import { prefixRange } from '../locks/lock-entry.ts'

/** One key `/althing/services/SERVICE/ID` per instance, which hangs on the lease of its registration. */
export const servicesPrefix: ByteString = '/althing/services/'

/** What the value of the key holds; service and id are in the key, the revisions are the store's. */
export interface InstanceEntry {
  readonly address: string
  readonly zone: string
  readonly version: string
  readonly weight: number
  readonly metadata: Readonly<Record<string, string>>
  readonly state: InstanceState
  readonly health: InstanceHealth
  readonly registeredAtMs: number
  /** Default `'process'`: entries of earlier versions say nothing. */
  readonly registrar?: 'process' | 'api'
  readonly check?: CheckSpec
  /** Drawn for each registration: by it a process knows its own entry after a write whose outcome it did not learn. */
  readonly nonce?: string
}

export const instanceDefaults = { zone: '', version: '', weight: 100, ttl: '15s' } as const

const namePattern = /^[A-Za-z0-9._-]{1,128}$/
const metadataEntriesMax = 64
const metadataCharsMax = 4_096

export function serviceRange(service: string): { readonly key: ByteString; readonly end: ByteString } {
  return prefixRange(`${servicesPrefix}${registryName('service', service)}/`)
}

export function instanceKey(service: string, id: string): ByteString {
  return serviceRange(service).key + registryName('id', id)
}

export function idOfKey(key: ByteString): string {
  return key.slice(key.indexOf('/', servicesPrefix.length) + 1)
}

export function serviceOfKey(key: ByteString): string {
  return key.slice(servicesPrefix.length, key.indexOf('/', servicesPrefix.length))
}

/** The descriptive part of an entry, checked and with its defaults. */
export function describeInstance(
  given: Pick<RegisterOptions, 'address' | 'zone' | 'version' | 'weight' | 'metadata'>,
): Pick<InstanceEntry, 'address' | 'zone' | 'version' | 'weight' | 'metadata'> {
  const { address, zone = instanceDefaults.zone, version = instanceDefaults.version, metadata = {} } = given
  const weight = given.weight ?? instanceDefaults.weight
  checkText('address', address, 1, 1024)
  checkText('zone', zone, 0, 256)
  checkText('version', version, 0, 256)
  if (!Number.isFinite(weight) || weight < 0 || weight > 10_000) {
    throw invalidArgument('weight', weight, 'a number from 0 to 10000')
  }
  checkMetadata(metadata)
  return { address, zone, version, weight, metadata: { ...metadata } }
}

export function changeInstance(entry: InstanceEntry, changes: InstanceUpdate): InstanceEntry {
  return { ...entry, ...describeInstance({ ...entry, ...changes }) }
}

export function encodeInstanceEntry(entry: InstanceEntry): Uint8Array {
  return bytesFromText(JSON.stringify(entry))
}

/** Undefined when the entry is not what this package writes: it is then left out, and harms no other. */
export function decodeInstance(kv: KeyValue): ServiceInstance | undefined {
  const service = serviceOfKey(kv.key)
  const id = idOfKey(kv.key)
  const entry = namePattern.test(id) ? decodeInstanceEntry(kv.value) : undefined
  return entry === undefined ? undefined : instanceOf(service, id, entry, kv)
}

export function decodeInstanceEntry(value: Uint8Array): InstanceEntry | undefined {
  try {
    const entry = JSON.parse(textFromBytes(value)) as InstanceEntry
    return isInstanceEntry(entry) ? entry : undefined
  } catch {
    return undefined
  }
}

export function instanceOf(
  service: string,
  id: string,
  entry: InstanceEntry,
  revisions: { readonly createRevision: number; readonly modRevision: number },
): ServiceInstance {
  const { nonce: _, registrar = 'process', ...told } = entry
  return {
    ...told,
    service,
    id,
    registrar,
    registrationRevision: revisions.createRevision,
    revision: revisions.modRevision,
  }
}

export function registryName(field: string, name: string): string {
  if (typeof name !== 'string' || !namePattern.test(name)) {
    throw invalidArgument(field, name, '1..128 characters of A-Z a-z 0-9 . _ -')
  }
  return name
}

function checkText(field: string, text: string, charsMin: number, charsMax: number): void {
  if (typeof text !== 'string' || text.length < charsMin || text.length > charsMax) {
    throw invalidArgument(field, text, `${charsMin}..${charsMax} characters`)
  }
}

function checkMetadata(metadata: Readonly<Record<string, string>>): void {
  const entries = Object.entries(metadata)
  const isText = entries.every(([, value]) => typeof value === 'string')
  const chars = isText ? entries.reduce((sum, [name, value]) => sum + name.length + value.length, 0) : 0
  if (isText && entries.length <= metadataEntriesMax && chars <= metadataCharsMax) return
  throw invalidArgument(
    'metadata',
    metadata,
    `at most ${metadataEntriesMax} texts with ${metadataCharsMax} characters in all`,
  )
}

function isInstanceEntry(entry: Partial<InstanceEntry> | null): boolean {
  return (
    typeof entry === 'object' &&
    typeof entry?.address === 'string' &&
    typeof entry.weight === 'number' &&
    (entry.state === 'up' || entry.state === 'draining') &&
    typeof entry.health?.state === 'string' &&
    (entry.check === undefined || isCheckSpec(entry.check))
  )
}

function isCheckSpec(spec: Partial<CheckSpec>): boolean {
  const { kind, target, args = [], expectStatus = [200, 299], removeAfterMs = 1 } = spec
  const numbers = [
    spec.intervalMs,
    spec.timeoutMs,
    spec.unhealthyAfter,
    spec.healthyAfter,
    spec.flapChangesMax,
    spec.flapWindowMs,
    removeAfterMs,
    ...expectStatus,
  ]
  return (
    (kind === 'http' || kind === 'tcp' || kind === 'script') &&
    typeof target === 'string' &&
    args.every((argument) => typeof argument === 'string') &&
    (spec.by === 'self' || spec.by === 'cluster') &&
    numbers.every((number) => typeof number === 'number' && number > 0)
  )
}
