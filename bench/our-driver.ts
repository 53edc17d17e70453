import type { Store } from '../src/contracts/store.ts'
import type { StoreDriver } from './cluster.ts'

/** Our store through the published client. */
export async function openOurs(addresses: readonly string[]): Promise<StoreDriver> {
  const { open } = (await import('althing')) as unknown as { open: (url: string) => Promise<Store> }
  return new OurDriver(await open(`althing://${addresses.join(',')}`))
}

class OurDriver implements StoreDriver {
  readonly #store: Store

  constructor(store: Store) {
    this.#store = store
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

  async close(): Promise<void> {
    await this.#store.close()
  }
}
