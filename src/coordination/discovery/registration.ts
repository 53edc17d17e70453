import type { Duration } from '../../base/duration.ts'
import { AlthingError, isAlthingError } from '../../contracts/errors.ts'
import type { Store } from '../../contracts/store.ts'
import type { World } from '../../contracts/world.ts'
import { abortedError, pause } from '../abortable.ts'
import { runActiveCheck } from './active-check.ts'
import { checkTiming } from './check-plan.ts'
import type { FunctionCheck } from './check-types.ts'
import type { InstanceHealth, InstanceUpdate, Registration, ServiceInstance } from './discovery-types.ts'
import type { ExclusiveHold } from '../exclusive-hold.ts'
import { runHealthChecks } from './health-checker.ts'
import type { HealthTracker } from './health-tracker.ts'
import {
  changeInstance,
  decodeInstanceEntry,
  encodeInstanceEntry,
  type InstanceEntry,
  instanceOf,
} from './instance-entry.ts'
import type { LeaseKeeper } from '../leases/lease-keeper.ts'
import { durationMs, shortText } from '../names.ts'
import type { SharedLeases } from './shared-leases.ts'
import { enterRegistry } from './registry-entry.ts'

export interface RegistrationOptions {
  readonly store: Store
  readonly world: World
  readonly keeper: LeaseKeeper
  readonly service: string
  readonly id: string
  readonly leases: SharedLeases
  readonly ttlMs: number
  readonly nonce: string
  readonly entry: InstanceEntry
  /** The check that is a function; an active one is in the entry. */
  readonly check: FunctionCheck | undefined
  readonly tracker: HealthTracker
  readonly reregister: boolean
  readonly onEnd: () => void
}

const retryMsMin = 500
const retryMsMax = 5_000

/** One own entry in the registry. Writes are made one after the other, each of the whole entry as it is then. */
export class RegistrationHandle implements Registration {
  readonly #options: RegistrationOptions
  readonly #lost = new AbortController()
  readonly #ending = new AbortController()
  #entry: InstanceEntry
  #healthByCluster: InstanceHealth | undefined
  #hold: ExclusiveHold | undefined
  #revision = 0
  /** The last of the writes under way. */
  #writing: Promise<unknown> = Promise.resolve()
  #isPublishing = false
  #deregistering: Promise<void> | undefined

  constructor(options: RegistrationOptions) {
    this.#options = options
    this.#entry = options.entry
  }

  get service(): string {
    return this.#options.service
  }

  get id(): string {
    return this.#options.id
  }

  get instance(): ServiceInstance {
    const createRevision = this.#hold?.fence.token ?? 0
    return instanceOf(this.service, this.id, this.#entryNow(), {
      createRevision,
      modRevision: this.#revision,
    })
  }

  get isRegistered(): boolean {
    return this.#hold?.isHeld === true
  }

  get lost(): AbortSignal {
    return this.#lost.signal
  }

  /** To be called once. */
  async start(options: {
    readonly takeOver: boolean
    readonly signal: AbortSignal | undefined
  }): Promise<void> {
    await this.#enter(options.takeOver, undefined)
    if (options.signal?.aborted === true) {
      await this.deregister()
      throw abortedError(options.signal)
    }
    this.#startChecks()
  }

  #startChecks(): void {
    const { check, world, tracker, entry } = this.#options
    const spec = entry.check?.by === 'self' ? entry.check : undefined
    if (check === undefined && spec === undefined) return
    void runHealthChecks({
      world,
      timing: spec ?? checkTiming(check ?? {}),
      run: async (signal) => {
        if (spec !== undefined) return await runActiveCheck(world, spec, signal)
        return (await check?.run(signal)) !== false
      },
      signal: this.#ending.signal,
      hasVerdict: () => tracker.health.state !== 'unknown',
      onResult: (ok, note) => this.#onHealthResult(ok, note),
    })
  }

  async update(changes: InstanceUpdate): Promise<void> {
    this.#assertOpen()
    this.#entry = changeInstance(this.#entry, changes)
    await this.#write()
  }

  async reportHealth(ok: boolean, note?: string): Promise<void> {
    this.#assertOpen()
    if (this.#isCheckedByCluster) {
      throw new AlthingError(
        'conflict',
        'the cluster checks this instance: its health is not for it to report',
        {
          outcome: 'none',
        },
      )
    }
    if (this.#takeHealthResult(ok, shortText('note', note, 256))) await this.#write()
  }

  async drain(): Promise<void> {
    this.#assertOpen()
    if (this.#entry.state === 'draining') return
    this.#entry = { ...this.#entry, state: 'draining' }
    await this.#write()
  }

  async deregister(options: { readonly drainFor?: Duration } = {}): Promise<void> {
    this.#deregistering ??= this.#deregister(options.drainFor)
    const deregistering = this.#deregistering
    try {
      await deregistering
    } catch (error) {
      // Another call may try again.
      if (this.#deregistering === deregistering) this.#deregistering = undefined
      throw error
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.deregister()
  }

  async #deregister(drainFor: Duration | undefined): Promise<void> {
    if (drainFor !== undefined && !this.#ending.signal.aborted) {
      const drainMs = durationMs('drainFor', drainFor)
      await this.drain()
      await pause(this.#options.world, drainMs, this.#lost.signal)
    }
    this.#ending.abort()
    this.#options.onEnd()
    await this.#writing.catch(() => {})
    await this.#hold?.release()
  }

  #assertOpen(): void {
    if (this.#lost.signal.aborted) throw this.#lost.signal.reason
    if (!this.#ending.signal.aborted) return
    throw new AlthingError('closed', `${this.service}/${this.id} has been deregistered`, { outcome: 'none' })
  }

  async #enter(takeOver: boolean, formerToken: number | undefined): Promise<void> {
    const entered = this.#entry
    const value = encodeInstanceEntry(entered)
    const hold = await enterRegistry(this.#options, value, { takeOver, formerToken })
    this.#hold = hold
    this.#revision = hold.fence.token
    const onLost = (): void => void this.#onLost(hold)
    if (hold.lost.aborted) onLost()
    else hold.lost.addEventListener('abort', onLost, { once: true })
    // What was changed while the entry was on its way found nothing to be written to.
    if (this.#entry !== entered) await this.#write().catch(() => void this.#publish())
  }

  async #onLost(hold: ExclusiveHold): Promise<void> {
    const { world, reregister } = this.#options
    const cause = hold.lost.reason as AlthingError
    if (this.#ending.signal.aborted) return
    world.logger.log('warn', 'a registration was lost', {
      service: this.service,
      id: this.id,
      cause: cause.message,
    })
    if (!reregister) return this.#end(cause)
    for (let attempt = 0; !this.#ending.signal.aborted; attempt++) {
      try {
        await this.#enter(false, hold.fence.token)
        // It may have been deregistered while the new entry was on its way.
        if (this.#ending.signal.aborted) await this.#hold?.release()
        return
      } catch (error) {
        if (isAlthingError(error) && ['conflict', 'closed', 'invalid-argument'].includes(error.code)) {
          return this.#end(error)
        }
        // All instances lose the store at the same time, and must not all come back at the same time.
        const pauseMs = Math.min(retryMsMax, retryMsMin * 2 ** Math.min(attempt, 8))
        await pause(world, pauseMs * (0.5 + world.random.float() / 2), this.#ending.signal)
      }
    }
  }

  #end(cause: AlthingError): void {
    this.#ending.abort()
    this.#options.onEnd()
    const { details } = cause
    const message = `registration ${this.service}/${this.id} was lost: ${cause.message}`
    this.#lost.abort(
      new AlthingError('lost', message, {
        outcome: 'none',
        cause,
        ...(details === undefined ? {} : { details }),
      }),
    )
  }

  /** Writes the entry as it is when its turn comes. While not registered there is nothing to write: the next registration has it. */
  async #write(): Promise<void> {
    const written = this.#writing.catch(() => {}).then(() => this.#writeNow())
    this.#writing = written
    await written
  }

  async #writeNow(): Promise<void> {
    const hold = this.#hold
    if (hold?.isHeld !== true) return
    if (this.#isCheckedByCluster) return await this.#writeBesideChecks(hold)
    const value = encodeInstanceEntry(this.#entry)
    try {
      const reply = await hold.txn({ then: [{ op: 'put', key: hold.fence.key, value, lease: 'keep' }] })
      this.#revision = reply.revision
    } catch (error) {
      if (isAlthingError(error, 'lost') || isAlthingError(error, 'stale-token')) return
      throw error
    }
  }

  /** With the health that the cluster has found, as of the last write. */
  #entryNow(): InstanceEntry {
    const health = this.#healthByCluster
    return health === undefined ? this.#entry : { ...this.#entry, health }
  }

  get #isCheckedByCluster(): boolean {
    return this.#entry.check?.by === 'cluster'
  }

  /** The health is written by the node that checks: it is carried over, whatever it has become meanwhile. */
  async #writeBesideChecks(hold: ExclusiveHold): Promise<void> {
    const { key } = hold.fence
    try {
      for (;;) {
        const { kvs } = await this.#options.store.range({ key })
        const [kv] = kvs
        const found = kv === undefined ? undefined : decodeInstanceEntry(kv.value)
        if (found !== undefined) this.#healthByCluster = found.health
        const reply = await hold.txn({
          compare: [{ target: 'modRevision', key, op: '=', value: kv?.modRevision ?? 0 }],
          then: [{ op: 'put', key, value: encodeInstanceEntry(this.#entryNow()), lease: 'keep' }],
        })
        if (!reply.succeeded) continue
        this.#revision = reply.revision
        return
      }
    } catch (error) {
      if (isAlthingError(error, 'lost') || isAlthingError(error, 'stale-token')) return
      throw error
    }
  }

  #onHealthResult(ok: boolean, note: string | undefined): void {
    if (this.#takeHealthResult(ok, note?.slice(0, 256))) void this.#publish()
  }

  #takeHealthResult(ok: boolean, note: string | undefined): boolean {
    const { world, tracker } = this.#options
    const result = { ok, atMs: world.clock.wallMs(), ...(note === undefined ? {} : { note }) }
    const hasChanged = tracker.record(result, world.clock.monotonicMs())
    if (hasChanged) this.#entry = { ...this.#entry, health: tracker.health }
    return hasChanged
  }

  /** Writes until it has succeeded. One at a time: it takes the newest entry with it. */
  async #publish(): Promise<void> {
    if (this.#isPublishing) return
    this.#isPublishing = true
    let isTold = false
    try {
      for (let entry: InstanceEntry | undefined; entry !== this.#entry && !this.#ending.signal.aborted; ) {
        const attempted = this.#entry
        try {
          await this.#write()
          entry = attempted
        } catch (error) {
          const { world, service, id } = this.#options
          if (!isTold) {
            const why = String(error)
            world.logger.log('warn', 'what changed of an instance could not be told yet', {
              service,
              id,
              error: why,
            })
          }
          isTold = true
          await pause(world, retryMsMin, this.#ending.signal)
        }
      }
    } finally {
      this.#isPublishing = false
    }
  }
}
