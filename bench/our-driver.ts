import { type ClusterStore, openClusterStore } from '../src/engines/cluster/cluster-store.ts'
import type { NodeStatus } from '../src/engines/cluster/node-status.ts'
import { createNodeWorld } from '../src/world/node-world.ts'
import type { StoreDriver } from './cluster.ts'

/** Our store through its own client, which finds the leader among `addresses` by itself. */
export class OurDriver implements StoreDriver {
  readonly #store: ClusterStore

  constructor(addresses: readonly string[]) {
    this.#store = openClusterStore(createNodeWorld({ dataFolder: '.' }), { endpoints: addresses })
  }

  async put(key: string, value: Uint8Array, deadlineMs: number): Promise<void> {
    await this.#store.txn({ then: [{ op: 'put', key, value }] }, { timeoutMs: deadlineMs })
  }

  async get(key: string, deadlineMs: number): Promise<number> {
    const { kvs } = await this.#store.range({ key }, { timeoutMs: deadlineMs })
    const found = kvs[0]
    if (found === undefined) throw new Error(`the store has no key ${key}`)
    return found.value.byteLength
  }

  status(deadlineMs: number): Promise<NodeStatus> {
    return this.#store.nodeStatus({ timeoutMs: deadlineMs })
  }

  async close(): Promise<void> {
    await this.#store.close()
  }
}
