import type { ReadOptions, Store } from '../../contracts/store.ts'
import type { ServiceInstance } from '../../coordination/discovery/discovery-types.ts'
import { decodeInstance, serviceRange } from '../../coordination/discovery/instance-entry.ts'
import { readWholeRange } from '../../coordination/range-pages.ts'

export interface ServiceView {
  readonly name: string
  /** Ordered by id, whatever their state and health. */
  readonly instances: readonly ServiceInstance[]
}

/** As much as a node knows of a service, and how far that can be relied on. */
export interface KnownServiceView extends ServiceView {
  readonly revision: number
  readonly stale: boolean
  readonly ageMs: number
}

/** By service, in the order of their names. */
export function groupServices(instances: readonly ServiceInstance[]): readonly ServiceView[] {
  const byName = new Map<string, ServiceInstance[]>()
  for (const instance of instances) {
    const own = byName.get(instance.service)
    if (own === undefined) byName.set(instance.service, [instance])
    else own.push(instance)
  }
  return [...byName]
    .map(([name, own]) => ({ name, instances: own }))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
}

export async function findService(store: Store, name: string, options: ReadOptions): Promise<ServiceView> {
  const { kvs } = await readWholeRange(store, serviceRange(name), options)
  return { name, instances: kvs.flatMap((kv) => decodeInstance(kv) ?? []) }
}
