import { AlthingError, isAlthingError } from '../../contracts/errors.ts'
import { bytesFromText } from '../../base/bytes.ts'
import type { KeyValue, ReadOptions, Store, TxnRequest } from '../../contracts/store.ts'
import type { World } from '../../contracts/world.ts'
import {
  auditKeptMs,
  type ForceReleaseOptions,
  recordsIn,
  releaseByForce,
  requiredText,
} from '../locks/forced-release.ts'
import { encodeLockEntry, prefixRange } from '../locks/lock-entry.ts'
import { groupByName } from '../locks/lock-overview.ts'
import { holding, type Leases, leasesOf, partyOf } from '../locks/party.ts'
import { fenceCompare } from '../fencing.ts'
import { randomId, wholeNumber } from '../names.ts'
import { readWholeRange } from '../range-pages.ts'
import {
  encodeLimit,
  limitAuditKey,
  limitKey,
  permitAuditKey,
  permitEntry,
  semaphoreAuditRange,
  semaphoreNameOfKey,
  semaphoreRange,
  semaphoresPrefix,
} from './semaphore-entry.ts'
import { semaphoreState } from './semaphore-line.ts'
import type {
  ForcedPermitRelease,
  LimitChange,
  PermitParty,
  SemaphoreExplanation,
} from './semaphore-types.ts'

export const limitMax = 1_000_000

export interface SetLimitOptions {
  /** Who does it, for the record. */
  readonly by: string
  readonly reason: string
}

/** What an operator sees of the semaphores of a store, and can do about them. */
export class SemaphoreOverview {
  readonly #store: Store
  readonly #world: World

  constructor(store: Store, world: World) {
    this.#store = store
    this.#world = world
  }

  async explain(name: string, options: ReadOptions): Promise<SemaphoreExplanation> {
    const { revision, kvs } = await readWholeRange(this.#store, semaphoreRange(name), options)
    return explanation(name, revision, kvs, await leasesOf(this.#store, kvs, options))
  }

  async list(options: ReadOptions): Promise<readonly SemaphoreExplanation[]> {
    const { revision, kvs } = await readWholeRange(this.#store, prefixRange(semaphoresPrefix), options)
    const leases = await leasesOf(this.#store, kvs, options)
    return [...groupByName(kvs, semaphoreNameOfKey)]
      .map(([name, own]) => explanation(name, revision, own, leases))
      .sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  async forceRelease(name: string, options: ForceReleaseOptions): Promise<ForcedPermitRelease> {
    const { kvs } = await readWholeRange(this.#store, semaphoreRange(name))
    const { parties } = semaphoreState(kvs)
    const target = {
      name,
      what: `semaphore "${name}"`,
      holders: parties.filter(({ holds }) => holds).map(({ kv }) => kv),
      partyOf: (kv: KeyValue) => permitParty(kv, new Map()),
      auditKey: (token: number) => permitAuditKey(name, token),
    }
    return await releaseByForce({ store: this.#store, world: this.#world }, target, options)
  }

  async forcedReleases(name: string): Promise<readonly ForcedPermitRelease[]> {
    return await recordsIn<ForcedPermitRelease>(
      this.#store,
      prefixRange(`${semaphoreAuditRange(name).key}release/`),
    )
  }

  async limitChanges(name: string): Promise<readonly LimitChange[]> {
    const range = prefixRange(`${semaphoreAuditRange(name).key}limit/`)
    const records = await recordsIn<LimitChange>(this.#store, range)
    return [...records].sort((a, b) => a.atMs - b.atMs)
  }

  async setLimit(name: string, limit: number | null, options: SetLimitOptions): Promise<LimitChange> {
    const by = requiredText('by', options.by)
    const reason = requiredText('reason', options.reason)
    if (limit !== null) wholeNumber('limit', limit, 1, limitMax)
    const { kvs } = await readWholeRange(this.#store, semaphoreRange(name))
    const { set } = semaphoreState(kvs)
    const record: LimitChange = {
      name,
      ...(limit === null ? {} : { limit }),
      ...(set === undefined ? {} : { formerLimit: set.limit }),
      by,
      reason,
      atMs: this.#world.clock.wallMs(),
    }
    const revision = await this.#writeLimit(record, set?.modRevision ?? 0)
    await this.#markHolders(name, revision - 1)
    this.#world.logger.log('warn', 'the limit of a semaphore was changed', {
      semaphore: name,
      limit,
      by,
      reason,
    })
    return record
  }

  async #writeLimit(record: LimitChange, modRevision: number): Promise<number> {
    const { name, limit, by, atMs } = record
    const key = limitKey(name)
    const audit = await this.#store.grantLease({ ttlMs: auditKeptMs })
    const put = { op: 'put', key: limitAuditKey(name, randomId(this.#world)), lease: audit.lease } as const
    const request: TxnRequest = {
      compare: [{ target: 'modRevision', key, op: '=', value: modRevision }],
      then: [
        limit === undefined
          ? { op: 'delete', key }
          : { op: 'put', key, value: encodeLimit({ limit, by, atMs }) },
        { ...put, value: bytesFromText(JSON.stringify(record)) },
      ],
    }
    const { succeeded, revision } = await this.#store.txn(request)
    if (succeeded) return revision
    await this.#store.revokeLease(audit.lease)
    throw new AlthingError('conflict', `the limit of semaphore "${name}" was changed by another meanwhile`, {
      outcome: 'none',
      details: { name },
    })
  }

  /** Who held under the former limit, at `revision`, holds on. Those whose keys do not show it, as they never had to wait, are marked, so that everyone can see it. */
  async #markHolders(name: string, revision: number): Promise<void> {
    const { kvs } = await readWholeRange(this.#store, { ...semaphoreRange(name), revision })
    const unmarked = semaphoreState(kvs).parties.filter(
      ({ holds, entry }) => holds && entry.heldSinceMs === undefined,
    )
    for (const { kv } of unmarked) if (await this.#heldFromTheStart(name, kv)) await this.#mark(kv)
  }

  /** The others have had to wait, and mark themselves when they take their turn: under the limit of then. */
  async #heldFromTheStart(name: string, { createRevision }: KeyValue): Promise<boolean> {
    try {
      const range = { ...semaphoreRange(name), revision: createRevision }
      const { parties } = semaphoreState((await readWholeRange(this.#store, range)).kvs)
      return parties.some(({ kv, holds }) => holds && kv.createRevision === createRevision)
    } catch (error) {
      // So old that its turn would have been taken long ago.
      if (isAlthingError(error, 'compacted')) return true
      throw error
    }
  }

  async #mark(kv: KeyValue): Promise<void> {
    const { key, createRevision, modRevision } = kv
    const entry = permitEntry(kv)
    const value = encodeLockEntry({ ...entry, heldSinceMs: entry.queuedAtMs })
    await this.#store.txn({
      compare: [
        fenceCompare({ key, token: createRevision }),
        { target: 'modRevision', key, op: '=', value: modRevision },
      ],
      then: [{ op: 'put', key, value, lease: 'keep' }],
    })
  }
}

function permitParty(kv: KeyValue, leases: Leases): PermitParty {
  return { ...partyOf(kv, leases), permits: permitEntry(kv).permits }
}

function explanation(
  name: string,
  revision: number,
  kvs: readonly KeyValue[],
  leases: Leases,
): SemaphoreExplanation {
  const { parties, limit, set } = semaphoreState(kvs)
  const holders = parties.filter(({ holds }) => holds).map(({ kv }) => holding(permitParty(kv, leases)))
  return {
    name,
    revision,
    limit,
    limitSetBy: set?.by,
    taken: holders.reduce((sum, { permits }) => sum + permits, 0),
    holders,
    waiters: parties.filter(({ holds }) => !holds).map(({ kv }) => permitParty(kv, leases)),
  }
}
