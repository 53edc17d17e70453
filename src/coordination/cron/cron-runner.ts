import { bytesFromText, type ByteString } from '../../base/bytes.ts'
import type { Operation, Store, TxnReply } from '../../contracts/store.ts'
import type { World } from '../../contracts/world.ts'
import { ExclusiveHold } from '../exclusive-hold.ts'
import type { Fence } from '../fencing.ts'
import type { KeptLease } from '../leases/kept-lease.ts'
import type { LeaseKeeper } from '../leases/lease-keeper.ts'
import { runKey } from './cron-keys.ts'
import { perform } from './cron-run.ts'
import type { CronActive, CronDefinition, CronRun } from './cron-types.ts'
import { recordEnd } from './record-end.ts'

export interface RunnerOptions {
  readonly store: Store
  readonly world: World
  readonly keeper: LeaseKeeper
  readonly instance: string
  readonly name: string
  readonly run: (run: CronRun) => unknown
}

/** Writes the state in which a run begins, and these operations with it, in one transaction. */
export type WriteWith = (more: readonly Operation[]) => Promise<TxnReply>

/** The runs of one schedule on one instance: claimed under a lease, carried out, and their end recorded. */
export class CronRunner {
  readonly #options: RunnerOptions
  readonly #closing = new AbortController()
  readonly #runs = new Set<Promise<void>>()

  constructor(options: RunnerOptions) {
    this.#options = options
  }

  /** Resolves when the run is under way here, or another's, or nobody's. */
  async start(
    definition: CronDefinition,
    starting: CronActive,
    write: WriteWith,
    signal: AbortSignal,
  ): Promise<void> {
    const lease = await this.#options.keeper.keep(definition.ttlMs, { signal })
    const fence = await this.#claim(starting, lease, write)
    if (fence === undefined) await drop(lease)
    else this.#begin(definition, starting, fence, lease)
  }

  tellToStop(reason: Error): void {
    this.#closing.abort(reason)
  }

  async untilAllEnded(): Promise<void> {
    while (this.#runs.size > 0) await Promise.allSettled(this.#runs)
  }

  /** Undefined when the run is another's, or nobody's. */
  async #claim(starting: CronActive, lease: KeptLease, write: WriteWith): Promise<Fence | undefined> {
    const key = runKey(this.#options.name, starting)
    const value = bytesFromText(JSON.stringify({ instance: this.#options.instance }))
    try {
      const reply = await write([{ op: 'put', key, value, lease: lease.id }])
      return reply.succeeded && lease.isValid ? { key, token: reply.revision } : undefined
    } catch (error) {
      const found = await this.#findClaim(key, lease)
      if (found !== undefined) return found
      // A claim that arrives after this is refused: its lease is gone.
      await drop(lease)
      throw error
    }
  }

  /** Whether a claim of unknown outcome has come through: then at-most-once asks that it be used now. */
  async #findClaim(key: ByteString, lease: KeptLease): Promise<Fence | undefined> {
    try {
      const { kvs } = await this.#options.store.range({ key, keysOnly: true })
      const kv = kvs[0]
      return kv?.lease === lease.id && lease.isValid ? { key, token: kv.createRevision } : undefined
    } catch {
      return undefined
    }
  }

  #begin(definition: CronDefinition, active: CronActive, fence: Fence, lease: KeptLease): void {
    const { store, world, keeper, name } = this.#options
    const what = `run ${active.id} of "${name}"`
    const hold = new ExclusiveHold({ store, world, keeper, fence, lease, what })
    const running = this.#run(definition, active, hold)
    this.#runs.add(running)
    void running.finally(() => this.#runs.delete(running))
  }

  async #run(definition: CronDefinition, active: CronActive, hold: ExclusiveHold): Promise<void> {
    const { store, world, name, run } = this.#options
    const { timeoutMs } = definition
    const closing = this.#closing.signal
    try {
      const end = await perform({ world, name, active, hold, timeoutMs, closing, run })
      await recordEnd({ store, world, name, active, hold, end })
    } catch (error) {
      world.logger.log('warn', 'how a run ended could not be recorded: it counts as interrupted', {
        name,
        run: active.id,
        error: String(error),
      })
    } finally {
      await hold.release().catch(() => {})
    }
  }
}

async function drop(lease: KeptLease): Promise<void> {
  await lease.release().catch(() => {})
}
