import { bytesFromText, type ByteString, textFromBytes } from '../../base/bytes.ts'
import { createDeferred, type Deferred } from '../../base/deferred.ts'
import { isAlthingError } from '../../contracts/errors.ts'
import type { KeyValue, Store } from '../../contracts/store.ts'
import type { World } from '../../contracts/world.ts'
import { pause, untilAborted } from '../abortable.ts'
import type { KeptLease } from '../leases/kept-lease.ts'
import type { LeaseKeeper } from '../leases/lease-keeper.ts'
import { randomId } from '../names.ts'
import { instanceReportKey, instancesRange, globalScope } from './config-record.ts'
import type { InstanceReport } from './config-types.ts'
import { releasePlace } from './staged-release.ts'

/** Without what the key says. */
export type ReportBody = Omit<InstanceReport, 'service' | 'instance' | 'place'>

const leaseTtl = '15s'
/** Between two writes of one instance; and the first of many after the same change come spread over as long. */
const spreadMs = 1_000
const retryMs = 5_000

export interface ReporterOptions {
  readonly store: Store
  readonly world: World
  readonly keeper: LeaseKeeper
  readonly service: string
  readonly instance: string
}

/** Tells in the store what an instance runs, for as long as it lives: at most one write a second, and none while nothing changes. */
export class InstanceReporter {
  readonly #options: ReporterOptions
  readonly #key: ByteString
  readonly #closing = new AbortController()
  readonly #running: Promise<void>
  #latest: ReportBody | undefined
  #written: string | undefined
  #changed: Deferred<void> = createDeferred()

  constructor(options: ReporterOptions) {
    this.#options = options
    this.#key = instanceReportKey(options.service, options.instance, randomId(options.world))
    this.#running = this.#run()
  }

  tell(report: ReportBody): void {
    this.#latest = report
    this.#changed.resolve()
  }

  /** Takes it back. Idempotent. */
  async close(): Promise<void> {
    this.#closing.abort()
    await this.#running
  }

  async #run(): Promise<void> {
    const { world } = this.#options
    const { signal } = this.#closing
    while (!signal.aborted) {
      try {
        await untilAborted(this.#changed.promise, signal)
        await this.#underOneLease()
      } catch (error) {
        if (signal.aborted) return
        if (isAlthingError(error, 'closed')) return
        world.logger.log('debug', 'what an instance runs cannot be told for now', { error: String(error) })
      }
      await pause(world, retryMs, signal)
    }
  }

  async #underOneLease(): Promise<void> {
    const { world, keeper } = this.#options
    const { signal } = this.#closing
    await pause(world, world.random.integer(0, spreadMs), signal)
    const lease = await keeper.keep(leaseTtl, { signal })
    const ended = AbortSignal.any([signal, lease.lost])
    try {
      this.#written = undefined
      while (!ended.aborted) {
        this.#changed = createDeferred()
        await this.#put(lease)
        await pause(world, spreadMs, ended)
        await untilAborted(this.#changed.promise, ended)
        await pause(world, world.random.integer(0, spreadMs), ended)
      }
    } finally {
      await lease.release().catch(() => undefined)
    }
  }

  async #put(lease: KeptLease): Promise<void> {
    const text = JSON.stringify(this.#latest)
    if (text === this.#written) return
    await this.#options.store.txn(
      { then: [{ op: 'put', key: this.#key, value: bytesFromText(text), lease: lease.id }] },
      { signal: this.#closing.signal },
    )
    this.#written = text
  }
}

/** `undefined` for an entry of another form: it harms no other. */
export function decodeReport(kv: KeyValue, scope: string): InstanceReport | undefined {
  const parts = kv.key.slice(instancesRange(globalScope).key.length).split('/')
  const [service, instance] = parts
  if (parts.length !== 3 || service === undefined || instance === undefined) return undefined
  try {
    const body = JSON.parse(textFromBytes(kv.value)) as Partial<ReportBody> | null
    if (typeof body?.version !== 'number' || typeof body.globalVersion !== 'number') return undefined
    return {
      ...(body as ReportBody),
      service,
      instance,
      place: releasePlace(scope === globalScope ? scope : service, instance),
    }
  } catch {
    return undefined
  }
}
