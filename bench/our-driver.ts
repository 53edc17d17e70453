import { type Althing, open, type Store } from 'althing'
import type { StoreDriver } from './cluster.ts'
import { forEachAtOnce } from './load/at-once.ts'

const leaseTtlMs = 3_600_000
const revokedAtOnce = 256

/** Our store through the published client, which finds the leader among `addresses` by itself. */
export async function openOurs(addresses: readonly string[]): Promise<OurDriver> {
  return new OurDriver(await open(`althing://${addresses.join(',')}`))
}

export class OurDriver implements StoreDriver {
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

  async txn(absentKey: string, key: string, value: Uint8Array, deadlineMs: number): Promise<void> {
    const { succeeded } = await this.#store.txn(
      {
        compare: [{ target: 'version', key: absentKey, op: '=', value: 0 }],
        then: [
          { op: 'put', key, value },
          { op: 'range', key },
        ],
      },
      { timeoutMs: deadlineMs },
    )
    if (!succeeded) throw new Error(`the key ${absentKey} exists`)
  }

  async grantLease(deadlineMs: number): Promise<void> {
    await this.#store.grantLease({ ttlMs: leaseTtlMs }, { timeoutMs: deadlineMs })
  }

  async revokeLeases(deadlineMs: number): Promise<number> {
    const call = { timeoutMs: deadlineMs }
    const leases = await this.#store.leases(call)
    await forEachAtOnce(leases, revokedAtOnce, ({ lease }) => this.#store.revokeLease(lease, call))
    return leases.length
  }

  async watch(key: string, seen: () => void): Promise<void> {
    const batches = this.#store.watch({ key })[Symbol.asyncIterator]()
    await batches.next()
    const follow = async () => {
      for (let next = await batches.next(); next.done !== true; next = await batches.next()) {
        if (next.value.kind === 'events') seen()
      }
    }
    // It ends with the store: that is no failure of the benchmark.
    follow().catch(() => undefined)
  }

  /** Resolves when the watch is set; `seen` is called with the numbers at the start of the values that were put under `prefix` since. */
  async watchPrefix(prefix: string, seen: (numbers: readonly number[]) => void): Promise<void> {
    const batches = this.#store.watch({ key: prefix, end: `${prefix}~` })[Symbol.asyncIterator]()
    await batches.next()
    const follow = async () => {
      for (let next = await batches.next(); next.done !== true; next = await batches.next()) {
        if (next.value.kind !== 'events') continue
        seen(next.value.events.map((event) => (event.type === 'put' ? numberIn(event.kv.value) : -1)))
      }
    }
    // It ends with the store: that is no failure of the benchmark.
    follow().catch(() => undefined)
  }

  async close(): Promise<void> {
    await this.#althing.close()
  }
}

function numberIn(value: Uint8Array): number {
  return new DataView(value.buffer, value.byteOffset).getUint32(0, true)
}
