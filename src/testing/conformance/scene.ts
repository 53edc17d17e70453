import { strict as check } from 'node:assert'
import { type ByteString, prefixEnd } from '../../base/bytes.ts'
import { isAlthingError } from '../../contracts/errors.ts'
import {
  type KeyRange,
  type KeyValue,
  type LeaseGrant,
  limitsOf,
  type Operation,
  type RangeRequest,
  type Store,
  type StoreCapabilities,
  type StoreLimits,
  type TxnReply,
  type WatchRequest,
} from '../../contracts/store.ts'
import type { World } from '../../contracts/world.ts'
import { type ConformanceAbility, type ConformanceBed, type ConformanceOptions, lacksAbility } from './bed.ts'
import { bytesOf, type PlainKeyValue, plainKeyValue } from './plain.ts'
import { patienceMs, WatchedBatches } from './watched-batches.ts'

/** A case that takes longer has failed: what it waits for does not come. */
const caseMsMax = 55_000
/** Leases that must outlive their case. */
const longTtlMs = 600_000

/** One case on a bed: a client, keys of its own, and an end that leaves nothing behind. */
export class Scene {
  readonly bed: ConformanceBed
  readonly world: Pick<World, 'clock' | 'timers' | 'random'>
  readonly capabilities: StoreCapabilities
  readonly limits: StoreLimits
  /** All keys of the case begin with it. */
  readonly prefix: ByteString
  readonly #abilities: readonly ConformanceAbility[]
  readonly #stores: Store[] = []
  readonly #leases: number[] = []
  readonly #watches: WatchedBatches[] = []
  readonly #endings: (() => void)[] = []

  private constructor(bed: ConformanceBed, { capabilities, abilities = [] }: ConformanceOptions) {
    this.bed = bed
    this.world = bed.world
    this.capabilities = capabilities
    this.limits = limitsOf(capabilities)
    this.#abilities = abilities
    this.prefix = `c${Buffer.from(bed.world.random.bytes(6)).toString('hex')}/`
  }

  static async play(
    bed: ConformanceBed,
    options: ConformanceOptions,
    body: (scene: Scene) => Promise<void>,
  ): Promise<void> {
    const scene = new Scene(bed, options)
    try {
      await scene.#inTime(async () => {
        await scene.open()
        await body(scene)
        await scene.#tidy()
      })
    } finally {
      for (const end of scene.#endings) end()
      for (const watch of scene.#watches) watch.close()
      await scene.closeAll()
    }
  }

  /** The client opened last. */
  get store(): Store {
    const store = this.#stores.at(-1)
    check.ok(store !== undefined, 'a client is open')
    return store
  }

  async open(): Promise<Store> {
    const store = await this.bed.open()
    this.#stores.push(store)
    return store
  }

  async closeAll(): Promise<void> {
    for (const store of this.#stores.splice(0).reverse()) await store.close()
  }

  has(ability: ConformanceAbility): boolean {
    return this.#abilities.includes(ability)
  }

  /** Ends the server and starts it again. Where there is one client at a time, it is closed before, and another opened. */
  async restart(): Promise<void> {
    if (this.bed.restart === undefined) throw lacksAbility('restart')
    if (!this.has('clients')) await this.closeAll()
    await this.bed.restart()
    if (!this.has('clients')) await this.open()
  }

  async failover(): Promise<void> {
    if (this.bed.failover === undefined) throw lacksAbility('failover')
    await this.bed.failover()
  }

  cut(): void {
    if (this.bed.cut === undefined) throw lacksAbility('cut')
    this.bed.cut()
  }

  key(name: string): ByteString {
    return this.prefix + name
  }

  /** All keys of the case. */
  get range(): KeyRange {
    return { key: this.prefix, end: prefixEnd(this.prefix) ?? null }
  }

  putting(name: string, value: string, lease: number | 'keep' = 0): Operation {
    return { op: 'put', key: this.key(name), value: bytesOf(value), ...(lease === 0 ? {} : { lease }) }
  }

  deleting(name: string): Operation {
    return { op: 'delete', key: this.key(name) }
  }

  txn(...then: readonly Operation[]): Promise<TxnReply> {
    return this.store.txn({ then })
  }

  /** Puts one key; the revision of it. */
  async put(name: string, value: string, lease: number | 'keep' = 0): Promise<number> {
    return (await this.txn(this.putting(name, value, lease))).revision
  }

  async delete(name: string): Promise<number> {
    return (await this.txn(this.deleting(name))).revision
  }

  async get(name: string): Promise<PlainKeyValue | undefined> {
    const { kvs } = await this.store.range({ key: this.key(name) })
    return kvs[0] === undefined ? undefined : this.plain(kvs[0])
  }

  async valueOf(name: string): Promise<string | undefined> {
    return (await this.get(name))?.value
  }

  /** The keys of the case, or of a part of it. */
  async list(request: Partial<RangeRequest> = {}): Promise<PlainKeyValue[]> {
    const { kvs } = await this.store.range({ ...this.range, ...request })
    return kvs.map((kv) => this.plain(kv))
  }

  async revision(): Promise<number> {
    return (await this.store.range({ key: this.prefix, countOnly: true })).revision
  }

  /** Without the prefix of the case, and with its value as text: for comparisons and messages. */
  plain(kv: KeyValue): PlainKeyValue {
    return plainKeyValue(kv, this.prefix)
  }

  /** A lease that ends with the case at the latest. */
  async grant(ttlMs = longTtlMs): Promise<LeaseGrant> {
    const grant = await this.store.grantLease({ ttlMs })
    this.#leases.push(grant.lease)
    return grant
  }

  /** A watch of the case's keys whose batches are gathered from now on. */
  watch(request: Partial<WatchRequest> = {}, store = this.store): WatchedBatches {
    const watch = new WatchedBatches(this.world, store.watch({ ...this.range, ...request }), this.prefix)
    this.#watches.push(watch)
    return watch
  }

  nowMs(): number {
    return this.world.clock.monotonicMs()
  }

  sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.world.timers.after(delayMs, resolve)
    })
  }

  /** Until `isSo` says yes, asked again and again. */
  async eventually(what: string, isSo: () => Promise<boolean>, withinMs = patienceMs): Promise<void> {
    const endMs = this.nowMs() + withinMs
    while (!(await isSo())) {
      check.ok(this.nowMs() < endMs, `within ${withinMs} ms: ${what}`)
      await this.sleep(10)
    }
  }

  /** Calls `end` when the case is over, however it ends: what goes on in the background stops. */
  atEnd(end: () => void): void {
    this.#endings.push(end)
  }

  async #inTime(body: () => Promise<void>): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const timer = this.world.timers.after(caseMsMax, () => {
        reject(new Error(`the case is not done after ${caseMsMax} ms`))
      })
      body()
        .finally(() => timer.cancel())
        .then(resolve, reject)
    })
  }

  /** Leases and keys of the case go, so that none ends in the middle of another case. */
  async #tidy(): Promise<void> {
    await this.closeAll()
    const store = await this.open()
    for (const lease of this.#leases) {
      try {
        await store.revokeLease(lease)
      } catch (error) {
        if (!isAlthingError(error, 'lease-not-found')) throw error
      }
    }
    await store.txn({ then: [{ op: 'delete', ...this.range }] })
  }
}
