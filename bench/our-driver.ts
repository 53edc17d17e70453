import { type Althing, open, type Store } from 'althing'
import type { StoreDriver } from './cluster.ts'

/** Our store through the published client, which finds the leader among `addresses` by itself. */
export async function openOurs(addresses: readonly string[]): Promise<StoreDriver> {
  return new OurDriver(await open(`althing://${addresses.join(',')}`))
}

class OurDriver implements StoreDriver {
  readonly #althing: Althing
  readonly #store: Store

  constructor(althing: Althing) {
    this.#althing = althing
    this.#store = althing.raw
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
    await this.#althing.close()
  }
}
