import { bytesFromText, type ByteString, textFromBytes } from '../../base/bytes.ts'
import type { KeyValue, Store } from '../../contracts/store.ts'
import type { Clock, World } from '../../contracts/world.ts'
import { pause, untilAborted } from '../abortable.ts'
import type { KeptLease } from '../leases/kept-lease.ts'
import type { LeaseKeeper } from '../leases/lease-keeper.ts'
import { clocksPrefix } from './cron-keys.ts'

/** What an instance says of itself. */
interface ClockEntry {
  readonly instance: string
  readonly wallMs: number
}

interface Sample {
  readonly modRevision: number
  /** The other's wall clock, when ours, the monotonic one, showed 0: as late as its message was. */
  readonly baseMs: number
  readonly seenMs: number
}

const leaseTtl = '30s'
const publishMs = 30_000
/** An instance that has not spoken for so long has no voice. */
const silentMs = 100_000
const lookMs = 5_000
/** A wall clock that has moved so much more or less than the monotonic one was stepped. */
const stepMs = 500
const retryMs = 1_000
/** More are not listened to: they would not change the middle. */
const instancesMax = 1_000

/**
 * The time on which the instances agree: the middle of their wall clocks (of two in the middle the earlier one). A wrong clock among three or
 * more has no say, however wrong; of two that differ the slower decides, so that nothing is run early; one alone is believed.
 */
export class AgreedClock {
  readonly #clock: Clock
  readonly #ownKey: ByteString
  #samples = new Map<ByteString, Sample>()

  constructor(clock: Clock, ownKey: ByteString) {
    this.#clock = clock
    this.#ownKey = ownKey
  }

  observe(kvs: ReadonlyMap<ByteString, KeyValue>): void {
    const samples = new Map<ByteString, Sample>()
    const seenMs = this.#clock.monotonicMs()
    for (const [key, kv] of kvs) {
      if (!key.startsWith(clocksPrefix) || key === this.#ownKey || samples.size >= instancesMax) continue
      const known = this.#samples.get(key)
      const sample = known?.modRevision === kv.modRevision ? known : sampleOf(kv, seenMs)
      if (sample !== undefined) samples.set(key, sample)
    }
    this.#samples = samples
  }

  /** Milliseconds since 1970, as the instances agree. */
  nowMs(): number {
    const nowMs = this.#clock.monotonicMs()
    const times = [this.#clock.wallMs()]
    for (const { baseMs, seenMs } of this.#samples.values())
      if (nowMs - seenMs < silentMs) times.push(baseMs + nowMs)
    times.sort((a, b) => a - b)
    return times[(times.length - 1) >> 1] as number
  }

  /**
   * The own place among the instances for this occurrence, 0 the first: all begin at the same moment, and the first alone suffices. Each
   * occurrence has another order.
   */
  rankFor(occurrence: string): number {
    const own = spread(this.#ownKey + occurrence)
    let before = 0
    for (const key of this.#samples.keys()) if (spread(key + occurrence) < own) before += 1
    return before
  }
}

export interface ClockBeaconOptions {
  readonly store: Store
  readonly world: World
  readonly keeper: LeaseKeeper
  readonly key: ByteString
  readonly instance: string
}

/** Tells the others what the own wall clock shows: every 30 seconds, and when it was stepped. Goes on through outages of the store. */
export async function beaconClock(options: ClockBeaconOptions, signal: AbortSignal): Promise<void> {
  const { world } = options
  while (!signal.aborted) {
    try {
      await beaconOnce(options, signal)
    } catch (error) {
      world.logger.log('debug', 'the clock of this instance cannot be told for now', { error: String(error) })
    }
    await pause(world, retryMs, signal)
  }
}

/** Until the lease is lost, or the instance is done. */
async function beaconOnce(options: ClockBeaconOptions, signal: AbortSignal): Promise<void> {
  const lease = await options.keeper.keep(leaseTtl, { signal })
  try {
    while (!signal.aborted && lease.isValid) {
      const toldMs = await untilAborted(tell(options, lease), signal)
      await untilStale(options.world, toldMs, AbortSignal.any([signal, lease.lost]))
    }
  } finally {
    await lease.release().catch(() => {})
  }
}

async function tell(
  { store, world, key, instance }: ClockBeaconOptions,
  lease: KeptLease,
): Promise<{ readonly offsetMs: number; readonly atMs: number }> {
  const entry: ClockEntry = { instance, wallMs: world.clock.wallMs() }
  const atMs = world.clock.monotonicMs()
  const value = bytesFromText(JSON.stringify(entry))
  await store.txn({ then: [{ op: 'put', key, value, lease: lease.id }] })
  return { offsetMs: entry.wallMs - atMs, atMs }
}

async function untilStale(
  world: World,
  told: { readonly offsetMs: number; readonly atMs: number },
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    const nowMs = world.clock.monotonicMs()
    const steppedMs = Math.abs(world.clock.wallMs() - nowMs - told.offsetMs)
    if (steppedMs > stepMs || nowMs - told.atMs >= publishMs) return
    await pause(world, lookMs, signal)
  }
}

function sampleOf(kv: KeyValue, seenMs: number): Sample | undefined {
  try {
    const { wallMs } = JSON.parse(textFromBytes(kv.value)) as Partial<ClockEntry>
    if (typeof wallMs !== 'number') return undefined
    return { modRevision: kv.modRevision, baseMs: wallMs - seenMs, seenMs }
  } catch {
    return undefined
  }
}

/** FNV-1a, 32 bits. */
function spread(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash >>> 0
}
