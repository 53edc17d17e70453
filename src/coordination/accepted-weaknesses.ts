import { bytesFromText, textFromBytes } from '../base/bytes.ts'
import type { KeyValue, ReadOptions, Store } from '../contracts/store.ts'
import type { World } from '../contracts/world.ts'
import { pause, untilAborted } from './abortable.ts'
import type { Guarantee } from './guarantees.ts'
import type { KeptLease } from './leases/kept-lease.ts'
import type { LeaseKeeper } from './leases/lease-keeper.ts'
import { prefixRange } from './locks/lock-entry.ts'
import { randomId } from './names.ts'

/** A program runs a recipe on this store without guarantees that the recipe needs, as its code has accepted. */
export interface AcceptedWeakness {
  readonly recipe: string
  /** What it needs, what the store lacks, and what was accepted. */
  readonly missing: readonly Guarantee[]
  /** Who it is, in its own words: host and process. */
  readonly program: string
  /** By the program's clock: milliseconds since 1970. */
  readonly sinceMs: number
}

/** One key `/althing/accepted/RECIPE/ID` for each, on a lease of the program. */
export const acceptedPrefix = '/althing/accepted/'

const leaseTtl = '30s'
const retryMs = 5_000
/** More are not read: they say nothing new. */
const readMax = 1_000

export interface AcceptanceNoticesOptions {
  readonly store: Store
  readonly world: World
  readonly keeper: LeaseKeeper
  readonly program: string
}

/** Tells everybody, in the store itself, what this program has accepted, for as long as it runs: so it is seen by those who look at the store with the doctor or the console. */
export class AcceptanceNotices {
  readonly #options: AcceptanceNoticesOptions
  readonly #closing = new AbortController()
  readonly #told: Promise<void>[] = []

  constructor(options: AcceptanceNoticesOptions) {
    this.#options = options
  }

  /** Returns at once, and never fails: a store that is away is told when it is back. */
  publish(recipe: string, missing: readonly Guarantee[]): void {
    const { world, program } = this.#options
    world.logger.log(
      'warn',
      'a recipe runs on a store that lacks what it needs, as its caller has accepted',
      {
        recipe,
        missing,
      },
    )
    const sinceMs = world.clock.wallMs()
    this.#told.push(this.#tell({ recipe, missing, program, sinceMs }))
  }

  /** Takes everything back. Idempotent. */
  async close(): Promise<void> {
    this.#closing.abort()
    await Promise.all(this.#told)
  }

  async #tell(weakness: AcceptedWeakness): Promise<void> {
    const { world } = this.#options
    const { signal } = this.#closing
    const key = `${acceptedPrefix}${weakness.recipe}/${randomId(world)}`
    while (!signal.aborted) {
      try {
        await this.#tellOnce(key, bytesFromText(JSON.stringify(weakness)))
      } catch (error) {
        world.logger.log('debug', 'what was accepted cannot be told for now', { error: String(error) })
      }
      await pause(world, retryMs, signal)
    }
  }

  /** Until the lease is lost, or the program is done. */
  async #tellOnce(key: string, value: Uint8Array): Promise<void> {
    const { store, keeper } = this.#options
    const { signal } = this.#closing
    const lease = await keeper.keep(leaseTtl, { signal })
    try {
      await store.txn({ then: [{ op: 'put', key, value, lease: lease.id }] }, { signal })
      await lost(lease, signal)
    } finally {
      await lease.release().catch(() => {})
    }
  }
}

/** What programs that run now have accepted on this store. Entries that cannot be read are left out. */
export async function acceptedWeaknesses(
  store: Store,
  options: ReadOptions = {},
): Promise<readonly AcceptedWeakness[]> {
  const { kvs } = await store.range({ ...prefixRange(acceptedPrefix), limit: readMax }, options)
  return kvs.flatMap((kv) => decode(kv) ?? [])
}

async function lost(lease: KeptLease, signal: AbortSignal): Promise<void> {
  const ended = new Promise<void>((resolve) => {
    if (lease.lost.aborted) resolve()
    else lease.lost.addEventListener('abort', () => resolve(), { once: true })
  })
  await untilAborted(ended, signal)
}

function decode({ value }: KeyValue): AcceptedWeakness | undefined {
  try {
    const { recipe, missing, program, sinceMs } = JSON.parse(textFromBytes(value)) as Record<string, unknown>
    const isWhole = typeof recipe === 'string' && typeof program === 'string' && typeof sinceMs === 'number'
    if (!isWhole || !Array.isArray(missing) || !missing.every((each) => typeof each === 'string'))
      return undefined
    return { recipe, missing: missing as Guarantee[], program, sinceMs }
  } catch {
    return undefined
  }
}
