import { byteStringFromBytes } from '../../base/bytes.ts'
import { AlthingError } from '../../contracts/errors.ts'
import type { CallOptions, LeaseGrant, LeaseId, LeaseStatus } from '../../contracts/store.ts'
import { leaseNotFound } from '../../models/store/txn.ts'
import { validateRenewals } from '../../models/store/validate.ts'
import type { Attempt, Connections } from './connections.ts'
import { type Script, scripts } from './script.ts'

type RawLease = readonly [
  lease: number,
  ttlMs: number,
  remainingMs: number,
  count: number,
  keys: readonly Buffer[],
]

/** The calls about leases that change no key: they may be repeated. */
export class LeaseCalls {
  readonly #connections: Connections

  constructor(connections: Connections) {
    this.#connections = connections
  }

  async keepLeaseAlive(lease: LeaseId, options: CallOptions, timeoutMs: number): Promise<LeaseGrant> {
    const [renewed] = await this.keepLeasesAlive([lease], options, timeoutMs)
    if (renewed instanceof AlthingError) throw renewed
    return renewed as LeaseGrant
  }

  async keepLeasesAlive(
    leases: readonly LeaseId[],
    options: CallOptions,
    timeoutMs: number,
  ): Promise<readonly (LeaseGrant | AlthingError)[]> {
    validateRenewals(leases)
    if (leases.length === 0) return []
    const call = { script: scripts.keepAlive, args: leases.map(String) }
    const ttls = await this.#connections.read(call, options, timeoutMs, (reply) => reply as number[])
    return leases.map((lease, i) => {
      const ttlMs = ttls[i] as number
      return ttlMs === 0 ? leaseNotFound(lease) : { lease, ttlMs }
    })
  }

  async leases(options: CallOptions, timeoutMs: number): Promise<readonly LeaseStatus[]> {
    const found = await this.#connections.repeat(options, timeoutMs, async (attempt) => ({
      value: await this.#all(attempt),
    }))
    return [...found.values()].sort((a, b) => a.lease - b.lease)
  }

  /** In pages, each of its own moment. */
  async #all(attempt: Attempt): Promise<Map<LeaseId, LeaseStatus>> {
    const found = new Map<LeaseId, LeaseStatus>()
    for (let cursor = '0'; ; ) {
      const [next, ...page] = (await this.#run(attempt, scripts.leases, cursor)) as [Buffer, ...RawLease[]]
      for (const [lease, ttlMs, remainingMs, count, shown] of page) {
        const keys = shown.length < count ? await this.#keysOf(attempt, lease) : shown
        found.set(lease, { lease, ttlMs, remainingMs, keys: keys.map(byteStringFromBytes) })
      }
      cursor = next.toString()
      if (cursor === '0') return found
    }
  }

  async #keysOf(attempt: Attempt, lease: LeaseId): Promise<readonly Buffer[]> {
    return (await this.#run(attempt, scripts.leaseKeys, String(lease))) as Buffer[]
  }

  async #run(attempt: Attempt, script: Script, argument: string): Promise<unknown> {
    const tried = await this.#connections.try({ script, args: [argument] }, attempt)
    if ('failure' in tried) throw tried.failure.error
    return tried.answer
  }
}
