import type { ByteString } from '../../base/bytes.ts'
import { AlthingError, isAlthingError } from '../../contracts/errors.ts'
import type { Compare, KeyValue, Operation, Store } from '../../contracts/store.ts'
import type { World } from '../../contracts/world.ts'
import { pause } from '../abortable.ts'
import type { Leadership } from '../election/election-types.ts'
import { runActiveCheck } from './active-check.ts'
import type { CheckSpec } from './check-types.ts'
import { runHealthChecks } from './health-checker.ts'
import { HealthTracker } from './health-tracker.ts'
import { decodeInstanceEntry, encodeInstanceEntry, type InstanceEntry } from './instance-entry.ts'

export interface CheckedInstanceOptions {
  readonly store: Store
  readonly world: World
  /** Its term fences what is written. */
  readonly leadership: Leadership
  readonly over: AbortSignal
  readonly instance: {
    readonly key: ByteString
    readonly service: string
    readonly id: string
    readonly kv: KeyValue
    readonly entry: InstanceEntry
    readonly spec: CheckSpec
  }
  /** Why the check is not run: each run fails with this. */
  readonly refusal: string | undefined
  /** Waits for a turn; resolves with its end. */
  take(): Promise<() => void>
}

const retryMs = 500

/** One instance that the cluster checks: runs the check, and writes what its results come to. */
export class CheckedInstance {
  readonly #options: CheckedInstanceOptions
  readonly #tracker: HealthTracker
  readonly #stopping = new AbortController()
  readonly #specText: string
  /** Monotonic; while the instance is healthy there is none. */
  #unhealthySinceMs: number | undefined
  #isWriting = false

  constructor(options: CheckedInstanceOptions) {
    this.#options = options
    const { world, over, instance } = options
    const { entry, spec } = instance
    this.#specText = JSON.stringify(spec)
    this.#tracker = new HealthTracker(entry.health, spec, world.clock.monotonicMs())
    const signal = AbortSignal.any([over, this.#stopping.signal])
    void runHealthChecks({
      world,
      timing: spec,
      run: (ended) => this.#runOnce(ended),
      signal,
      hasVerdict: () => this.#tracker.health.state !== 'unknown',
      onResult: (ok, note) => this.#onResult(ok, note?.slice(0, 256)),
    })
  }

  /** The same registration, with the same check. */
  isOf(kv: KeyValue, spec: CheckSpec): boolean {
    const isSame = kv.createRevision === this.#options.instance.kv.createRevision
    return isSame && JSON.stringify(spec) === this.#specText
  }

  stop(): void {
    this.#stopping.abort()
  }

  async #runOnce(signal: AbortSignal): Promise<string> {
    const { world, refusal, instance, take } = this.#options
    if (refusal !== undefined) throw new AlthingError('permission-denied', refusal)
    const free = await take()
    try {
      return await runActiveCheck(world, instance.spec, signal)
    } finally {
      free()
    }
  }

  #onResult(ok: boolean, note: string | undefined): void {
    const { clock } = this.#options.world
    const nowMs = clock.monotonicMs()
    const result = { ok, atMs: clock.wallMs(), ...(note === undefined ? {} : { note }) }
    const hasChanged = this.#tracker.record(result, nowMs)
    const isUnhealthy = this.#tracker.health.state === 'unhealthy'
    this.#unhealthySinceMs = isUnhealthy ? (this.#unhealthySinceMs ?? nowMs) : undefined
    if (hasChanged || this.#mustGo(nowMs)) void this.#publish()
  }

  #mustGo(nowMs: number): boolean {
    const { removeAfterMs } = this.#options.instance.spec
    if (removeAfterMs === undefined || this.#unhealthySinceMs === undefined) return false
    return nowMs - this.#unhealthySinceMs >= removeAfterMs
  }

  /** Until what stands in the registry is what was found; one at a time. */
  async #publish(): Promise<void> {
    if (this.#isWriting) return
    this.#isWriting = true
    const { world, over, instance } = this.#options
    try {
      while (!over.aborted && !this.#stopping.signal.aborted) {
        try {
          if (await this.#write()) return
        } catch (error) {
          if (isAlthingError(error, 'stale-token') || isAlthingError(error, 'lost')) return
          world.logger.log('debug', 'a verdict cannot be written for now', {
            service: instance.service,
            id: instance.id,
            error: String(error),
          })
          await pause(world, retryMs, over)
        }
      }
    } finally {
      this.#isWriting = false
    }
  }

  /** True when nothing is left to write. */
  async #write(): Promise<boolean> {
    const { store, world, leadership, instance } = this.#options
    const { key } = instance
    const found = (await store.range({ key })).kvs[0]
    const entry = found === undefined ? undefined : decodeInstanceEntry(found.value)
    if (found === undefined || entry === undefined) return true
    if (found.createRevision !== instance.kv.createRevision) return true
    const { health } = this.#tracker
    const mustGo = this.#mustGo(world.clock.monotonicMs())
    const put = encodeInstanceEntry({ ...entry, health })
    const change: Operation = mustGo ? { op: 'delete', key } : { op: 'put', key, value: put, lease: 'keep' }
    const compare: Compare = { target: 'modRevision', key, op: '=', value: found.modRevision }
    const reply = await leadership.txn({ compare: [compare], then: [change] })
    return reply.succeeded && (mustGo || health === this.#tracker.health || !this.#differs(health))
  }

  #differs(written: InstanceEntry['health']): boolean {
    const { state, flapping } = this.#tracker.health
    return written.state !== state || written.flapping !== flapping
  }
}
