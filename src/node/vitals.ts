import type { LoopDelay, LoopDelayMeter } from '../contracts/vitals.ts'
import type { Timer, Timers } from '../contracts/world.ts'
import type { NodeVitals } from '../engines/cluster/node-status.ts'
import { RecentQuantile } from '../observe/recent-quantile.ts'
import type { CertificateVitals } from './certificate-ends.ts'

/** A stall stays in view for at least this long, and for twice as long at most. */
const periodMs = 10_000
/** The same for syncs of the disk: fewer of them happen in a second. */
const syncPeriodMs = 60_000

/** How the process of a node does: its event loop and its disk, of late. */
export class Vitals {
  readonly #timers: Timers
  readonly #meter: LoopDelayMeter
  readonly #certificates: () => CertificateVitals
  #syncSeconds = new RecentQuantile()
  #lastSyncSeconds: RecentQuantile | undefined
  #lastPeriod: LoopDelay | undefined
  #timer: Timer | undefined
  #syncTimer: Timer | undefined

  constructor(timers: Timers, meter: LoopDelayMeter, certificates: () => CertificateVitals = () => ({})) {
    this.#timers = timers
    this.#meter = meter
    this.#certificates = certificates
    this.#arm()
    this.#armSyncs()
  }

  synced(seconds: number): void {
    this.#syncSeconds.add(seconds)
  }

  /** Over the last 10 to 20 seconds. */
  loopDelay(): LoopDelay {
    const now = this.#meter.read()
    const last = this.#lastPeriod
    if (last === undefined) return now
    return { ...last, p99Ms: Math.max(last.p99Ms, now.p99Ms), maxMs: Math.max(last.maxMs, now.maxMs) }
  }

  read(): NodeVitals {
    const p50 = this.#sync(0.5)
    const p99 = this.#sync(0.99)
    return {
      loopDelay: this.loopDelay(),
      ...(p50 === undefined ? {} : { diskSyncP50Ms: p50 * 1_000 }),
      ...(p99 === undefined ? {} : { diskSyncP99Ms: p99 * 1_000 }),
      ...this.#certificates(),
    }
  }

  close(): void {
    this.#timer?.cancel()
    this.#syncTimer?.cancel()
    this.#meter.close()
  }

  /** The worse of the two last periods. */
  #sync(q: number): number | undefined {
    const last = this.#lastSyncSeconds?.at(q)
    const now = this.#syncSeconds.at(q)
    return last === undefined || now === undefined ? (now ?? last) : Math.max(last, now)
  }

  #armSyncs(): void {
    this.#syncTimer = this.#timers.after(syncPeriodMs, () => {
      this.#lastSyncSeconds = this.#syncSeconds
      this.#syncSeconds = new RecentQuantile()
      this.#armSyncs()
    })
  }

  #arm(): void {
    this.#timer = this.#timers.after(periodMs, () => {
      this.#lastPeriod = this.#meter.read()
      this.#meter.reset()
      this.#arm()
    })
  }
}
