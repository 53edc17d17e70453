import type { ByteString } from '../../base/bytes.ts'
import { isAlthingError } from '../../contracts/errors.ts'
import type { KeyValue, Store } from '../../contracts/store.ts'
import type { World } from '../../contracts/world.ts'
import { pause } from '../abortable.ts'
import { ElectionService } from '../election/election.ts'
import type { Leadership } from '../election/election-types.ts'
import type { Guarantee } from '../guarantees.ts'
import type { LeaseKeeper } from '../leases/lease-keeper.ts'
import { prefixRange } from '../locks/lock-entry.ts'
import { followRange, type RangeState } from '../range-follower.ts'
import { CheckedInstance } from './checked-instance.ts'
import type { CheckSpec } from './check-types.ts'
import { decodeInstanceEntry, idOfKey, serviceOfKey, servicesPrefix } from './instance-entry.ts'

/** Whoever leads this election runs the checks. */
export const checkDutyElection = 'althing/health-checks'

const dutyTtl = '10s'
const retryMs = 1_000
/** Probes under way at a time; those that are due wait their turn. */
const probesMax = 256

export interface CheckDutyOptions {
  readonly store: Store
  readonly world: World
  readonly keeper?: LeaseKeeper
  readonly accept?: readonly Guarantee[]
  /** The name under which it stands for the duty: unique among those that do. */
  readonly candidate: string
  /** Runs the programs that checks name: whoever may write the registry then runs programs on this machine. Default false. */
  readonly allowScripts?: boolean
}

/**
 * Runs the active checks that are for the cluster: one process at a time, of all that have such a duty, by an election whose term fences each verdict. The next one takes
 * over within 10 s of its death, and goes on from the verdicts in the registry.
 */
export class CheckDuty {
  readonly #options: CheckDutyOptions
  readonly #elections: ElectionService
  readonly #closing = new AbortController()
  readonly #checked = new Map<ByteString, CheckedInstance>()
  readonly #slots = new ProbeSlots(probesMax)
  readonly #running: Promise<void>
  #leadership: Leadership | undefined

  constructor(options: CheckDutyOptions) {
    this.#options = options
    this.#elections = new ElectionService(options)
    this.#running = this.#run()
  }

  /** Computed at each reading: true only if no other can have the duty now. */
  get isOnDuty(): boolean {
    return this.#leadership?.isLeader === true
  }

  /** How many instances it checks now. */
  get size(): number {
    return this.#checked.size
  }

  /** Lets the next one have the duty. Idempotent. */
  async close(): Promise<void> {
    this.#closing.abort()
    await this.#elections.close()
    await this.#running
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #run(): Promise<void> {
    const { world, candidate } = this.#options
    const { signal } = this.#closing
    while (!signal.aborted) {
      try {
        this.#leadership = await this.#elections.campaign(checkDutyElection, {
          candidate,
          value: candidate,
          ttl: dutyTtl,
          signal,
        })
        await this.#serve(this.#leadership)
      } catch (error) {
        if (signal.aborted || isAlthingError(error, 'closed')) return
        world.logger.log('warn', 'the checks of instances cannot be run here for now', {
          error: String(error),
        })
      }
      await pause(world, retryMs, signal)
    }
  }

  /** Until the duty is lost, or this is closed. */
  async #serve(leadership: Leadership): Promise<void> {
    const { store, world } = this.#options
    const over = AbortSignal.any([this.#closing.signal, leadership.lost])
    try {
      await followRange({
        store,
        world,
        range: prefixRange(servicesPrefix),
        signal: over,
        onState: (state) => {
          for (const key of state.changed ?? this.#allKeys(state)) {
            this.#follow(key, state.kvs.get(key), leadership, over)
          }
        },
      })
    } finally {
      for (const checked of this.#checked.values()) checked.stop()
      this.#checked.clear()
      await leadership.resign().catch(() => {})
    }
  }

  #allKeys({ kvs }: RangeState): Iterable<ByteString> {
    return new Set([...kvs.keys(), ...this.#checked.keys()])
  }

  #follow(key: ByteString, kv: KeyValue | undefined, leadership: Leadership, over: AbortSignal): void {
    const known = this.#checked.get(key)
    const entry = kv === undefined ? undefined : decodeInstanceEntry(kv.value)
    const spec = entry?.check
    if (kv === undefined || entry === undefined || spec?.by !== 'cluster') {
      known?.stop()
      this.#checked.delete(key)
      return
    }
    if (known?.isOf(kv, spec) === true) return
    known?.stop()
    const { store, world, allowScripts = false } = this.#options
    const instance = { key, service: serviceOfKey(key), id: idOfKey(key), kv, entry, spec }
    const checked = new CheckedInstance({
      store,
      world,
      leadership,
      over,
      instance,
      refusal: refusalOf(spec, allowScripts),
      take: () => this.#slots.take(),
    })
    this.#checked.set(key, checked)
  }
}

function refusalOf({ kind }: CheckSpec, allowScripts: boolean): string | undefined {
  return kind === 'script' && !allowScripts
    ? 'script checks are not enabled on the node that checks'
    : undefined
}

/** Bounds what is under way; who comes first is first. */
class ProbeSlots {
  readonly #waiting: (() => void)[] = []
  #free: number

  constructor(free: number) {
    this.#free = free
  }

  /** Resolves with the way to give the slot back. */
  async take(): Promise<() => void> {
    if (this.#free > 0) this.#free--
    else await new Promise<void>((resolve) => this.#waiting.push(resolve))
    return () => {
      const next = this.#waiting.shift()
      if (next === undefined) this.#free++
      else next()
    }
  }
}
