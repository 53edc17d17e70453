import type { ReadOptions, Store } from '../../contracts/store.ts'
import type { ServiceInstance } from '../../coordination/discovery/discovery-types.ts'
import { decodeInstance, serviceRange, servicesPrefix } from '../../coordination/discovery/instance-entry.ts'
import { prefixRange } from '../../coordination/locks/lock-entry.ts'
import { readWholeRange } from '../../coordination/range-pages.ts'

export interface ServiceView {
  readonly name: string
  /** Ordered by id, whatever their state and health. */
  readonly instances: readonly ServiceInstance[]
}

/** Every service that has an instance, by name: one read. */
export async function listServices(store: Store, options: ReadOptions): Promise<readonly ServiceView[]> {
  const { kvs } = await readWholeRange(store, prefixRange(servicesPrefix), options)
  const byName = new Map<string, ServiceInstance[]>()
  for (const kv of kvs) {
    const instance = decodeInstance(kv)
    if (instance === undefined) continue
    const instances = byName.get(instance.service) ?? []
    instances.push(instance)
    byName.set(instance.service, instances)
  }
  return [...byName]
    .map(([name, instances]) => ({ name, instances }))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
}

export async function findService(store: Store, name: string, options: ReadOptions): Promise<ServiceView> {
  const { kvs } = await readWholeRange(store, serviceRange(name), options)
  return { name, instances: kvs.flatMap((kv) => decodeInstance(kv) ?? []) }
}
