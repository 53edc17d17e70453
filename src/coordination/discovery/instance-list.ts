import type { ByteString } from '../../base/bytes.ts'
import type { Logger } from '../../contracts/world.ts'
import type { RangeState } from '../range-follower.ts'
import type { ServiceInstance } from './discovery-types.ts'
import { decodeInstance, idOfKey } from './instance-entry.ts'

/**
 * The instances of one service out of the states of its range, ordered by id. What did not change is not read again: with n instances a change costs a copy of the list of
 * references, and only a list that any key may have changed is decoded whole.
 */
export class InstanceList {
  readonly #logger: Logger
  #instances: readonly ServiceInstance[] = []

  constructor(logger: Logger) {
    this.#logger = logger
  }

  /** The list after `state`; those given before stay as they are. */
  take(state: RangeState): readonly ServiceInstance[] {
    const { kvs, changed } = state
    if (changed === undefined || changed.length > kvs.size / 4) this.#instances = this.#decodeAll(state)
    else this.#instances = this.#withChanges(state, changed)
    return this.#instances
  }

  #decodeAll({ kvs }: RangeState): readonly ServiceInstance[] {
    const known = new Map(this.#instances.map((instance) => [instance.id, instance]))
    const instances: ServiceInstance[] = []
    for (const kv of kvs.values()) {
      const before = known.get(idOfKey(kv.key))
      const instance = before?.revision === kv.modRevision ? before : this.#decode(kv)
      if (instance !== undefined) instances.push(instance)
    }
    return instances.sort((a, b) => (a.id < b.id ? -1 : 1))
  }

  #withChanges({ kvs }: RangeState, changed: readonly ByteString[]): readonly ServiceInstance[] {
    const instances = [...this.#instances]
    for (const key of new Set(changed)) {
      const id = idOfKey(key)
      const at = placeOf(instances, id)
      const kv = kvs.get(key)
      const instance = kv === undefined ? undefined : this.#decode(kv)
      instances.splice(at, instances[at]?.id === id ? 1 : 0, ...(instance === undefined ? [] : [instance]))
    }
    return instances
  }

  #decode(kv: Parameters<typeof decodeInstance>[0]): ServiceInstance | undefined {
    const instance = decodeInstance(kv)
    if (instance === undefined) {
      this.#logger.log('warn', 'an entry of the registry cannot be read', { key: kv.key })
    }
    return instance
  }
}

/** Where the id is, or would be. */
function placeOf(instances: readonly ServiceInstance[], id: string): number {
  let low = 0
  let high = instances.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((instances[middle] as ServiceInstance).id < id) low = middle + 1
    else high = middle
  }
  return low
}
