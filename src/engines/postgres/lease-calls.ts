import { AlthingError } from '../../contracts/errors.ts'
import { byteStringFromBytes } from '../../base/bytes.ts'
import type { CallOptions, LeaseGrant, LeaseId, LeaseStatus } from '../../contracts/store.ts'
import { leaseNotFound } from '../../models/store/txn.ts'
import { validateRenewals } from '../../models/store/validate.ts'
import type { Connections } from './connections.ts'
import type { Row } from './library.ts'
import type { Place } from './place.ts'

const leasesPerPage = 1_000
/** Of one lease; more are told by `moreKeys`. */
const keysShownMax = 10_000

/** The calls about leases that change no key: they wait for nobody, and may be repeated. */
export class LeaseCalls {
  readonly #connections: Connections
  readonly #place: Place

  constructor(connections: Connections, place: Place) {
    this.#connections = connections
    this.#place = place
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
    const statement = {
      name: `althing_keep_${this.#place.schema}`,
      text: `select lease, ttl from ${this.#place.schema}.keep_alive($1)`,
      values: [leases],
    }
    const ttls = await this.#connections.read(
      statement,
      options,
      timeoutMs,
      (rows) => new Map(rows.map((row) => [Number(row.lease), Number(row.ttl)])),
    )
    return leases.map((lease) => {
      const ttlMs = ttls.get(lease)
      return ttlMs === undefined ? leaseNotFound(lease) : { lease, ttlMs }
    })
  }

  async leases(options: CallOptions, timeoutMs: number): Promise<readonly LeaseStatus[]> {
    const all: LeaseStatus[] = []
    for (;;) {
      const after = all.at(-1)?.lease ?? 0
      const page = await this.#connections.read(this.#pageAfter(after), options, timeoutMs, statusesOf)
      all.push(...page)
      if (page.length < leasesPerPage) return all
    }
  }

  #pageAfter(after: LeaseId): { readonly text: string; readonly values: readonly unknown[] } {
    const { schema } = this.#place
    return {
      text: `select l.id, l.ttl_ms, greatest(0, extract(epoch from l.expires_at - clock_timestamp()) * 1000) as remaining_ms, k.key,
  pg_is_in_recovery() as standby
from (select * from ${schema}.leases where id > $1 order by id limit $2) l
left join lateral (select key from ${schema}.keys where lease = l.id and lease <> 0 order by key limit $3) k on true
order by l.id, k.key`,
      values: [after, leasesPerPage, keysShownMax + 1],
    }
  }
}

function statusesOf(rows: readonly Row[]): LeaseStatus[] {
  const statuses: (LeaseStatus & { keys: string[]; moreKeys?: boolean })[] = []
  for (const row of rows) {
    let status = statuses.at(-1)
    if (status === undefined || status.lease !== row.id) {
      status = {
        lease: Number(row.id),
        ttlMs: Number(row.ttl_ms),
        remainingMs: Math.round(Number(row.remaining_ms)),
        keys: [],
      }
      statuses.push(status)
    }
    if (row.key === null) continue
    if (status.keys.length === keysShownMax) status.moreKeys = true
    else status.keys.push(byteStringFromBytes(row.key as Buffer))
  }
  return statuses
}
