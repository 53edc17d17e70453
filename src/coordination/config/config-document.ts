import { AlthingError, invalidArgument } from '../../contracts/errors.ts'
import { registryName } from '../discovery/instance-entry.ts'
import { checkedKey, type StoredValue, type StoredValues, type StoredVersion } from './config-record.ts'
import { equalJson } from './json-value.ts'

/** Where a value of the merged view comes from. */
export type ConfigLayer = 'global' | 'service' | 'instance'

export interface MergedValue {
  readonly stored: StoredValue
  readonly layer: ConfigLayer
  /** Of the scope that it is stored in: what a secret is bound to. */
  readonly place: SecretPlace
}

/** Where a secret stands: its ciphertext opens nowhere else. */
export interface SecretPlace {
  readonly scope: string
  /** Absent: the values of the scope itself. */
  readonly instance?: string
  readonly key: string
}

export type MergedValues = ReadonlyMap<string, MergedValue>

/** Global, then the service's, then the instance's own: the later wins, key by key. */
export function mergeLayers(
  scopes: { readonly global: string; readonly service: string },
  global: StoredVersion,
  service: StoredVersion,
  instance: string | undefined,
): MergedValues {
  const merged = new Map<string, MergedValue>()
  for (const [key, stored] of Object.entries(global.values))
    merged.set(key, { stored, layer: 'global', place: { scope: scopes.global, key } })
  for (const [key, stored] of Object.entries(service.values))
    merged.set(key, { stored, layer: 'service', place: { scope: scopes.service, key } })
  if (instance !== undefined && Object.hasOwn(service.instances, instance)) {
    for (const [key, stored] of Object.entries(service.instances[instance] ?? {}))
      merged.set(key, { stored, layer: 'instance', place: { scope: scopes.service, instance, key } })
  }
  return new Map([...merged].toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

/** The contents of a version with some values changed. */
export function changedContent(
  before: StoredVersion,
  change: { readonly instance?: string; readonly set: StoredValues; readonly unset: readonly string[] },
): Pick<StoredVersion, 'values' | 'instances'> {
  const { instance, set, unset } = change
  for (const key of Object.keys(set)) checkedKey('key', key)
  const old = layerOf(before, instance)
  for (const key of unset) {
    if (!Object.hasOwn(old, checkedKey('unset', key)))
      throw new AlthingError(
        'not-found',
        `there is no value ${key} to unset${instance === undefined ? '' : ` at instance ${instance}`}`,
        {
          outcome: 'none',
          details: { field: key },
        },
      )
    if (Object.hasOwn(set, key)) throw invalidArgument(key, 'set and unset', 'one of the two')
  }
  const layer = Object.fromEntries(Object.entries({ ...old, ...set }).filter(([key]) => !unset.includes(key)))
  if (instance === undefined) return { values: layer, instances: before.instances }
  registryName('instance', instance)
  const others = Object.entries(before.instances).filter(([id]) => id !== instance)
  const own = Object.keys(layer).length === 0 ? [] : [[instance, layer] as const]
  return { values: before.values, instances: Object.fromEntries([...others, ...own]) }
}

export function layerOf(version: StoredVersion, instance: string | undefined): StoredValues {
  if (instance === undefined) return version.values
  return Object.hasOwn(version.instances, instance) ? (version.instances[instance] ?? {}) : {}
}

/** One difference between two versions. */
export interface StoredDifference {
  readonly key: string
  readonly instance?: string
  readonly before?: StoredValue
  readonly after?: StoredValue
}

/** Ordered by layer (the scope's own first), then by key. */
export function differences(before: StoredVersion, after: StoredVersion): readonly StoredDifference[] {
  const instances = [
    ...new Set([...Object.keys(before.instances), ...Object.keys(after.instances)]),
  ].toSorted()
  return [undefined, ...instances].flatMap((instance) => {
    const old = layerOf(before, instance)
    const now = layerOf(after, instance)
    const keys = [...new Set([...Object.keys(old), ...Object.keys(now)])].toSorted()
    return keys.flatMap((key): StoredDifference[] => {
      const x = Object.hasOwn(old, key) ? old[key] : undefined
      const y = Object.hasOwn(now, key) ? now[key] : undefined
      if (x !== undefined && y !== undefined && isSameStored(x, y)) return []
      return [
        {
          key,
          ...(instance === undefined ? {} : { instance }),
          ...(x === undefined ? {} : { before: x }),
          ...(y === undefined ? {} : { after: y }),
        },
      ]
    })
  })
}

/** Secrets are the same when their ciphertext is: the same secret written twice differs. */
export function isSameStored(a: StoredValue, b: StoredValue): boolean {
  if ('secret' in a || 'secret' in b) {
    return 'secret' in a && 'secret' in b && a.secret.data === b.secret.data
  }
  return equalJson(a.value, b.value)
}
