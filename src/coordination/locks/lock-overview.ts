import { AlthingError, invalidArgument } from '../../contracts/errors.ts'
import type { KeyValue, LeaseStatus, ReadOptions, Store } from '../../contracts/store.ts'
import type { World } from '../../contracts/world.ts'
import { fenceCompare } from '../fencing.ts'
import {
  decodeForcedRelease,
  decodeLockEntry,
  encodeForcedRelease,
  encodeLockEntry,
  lockAuditKey,
  lockAuditRange,
  lockNameOfKey,
  lockParty,
  lockQueueRange,
  locksPrefix,
  prefixRange,
} from './lock-entry.ts'
import type { ForcedRelease, LockExplanation } from './lock-types.ts'
import { shortText } from '../names.ts'
import { byCreation, readWholeRange } from '../range-pages.ts'

const auditKeptMs = 30 * 86_400_000

/** What an operator sees of the locks of a store, and can do about them. */
export class LockOverview {
  readonly #store: Store
  readonly #world: World

  constructor(store: Store, world: World) {
    this.#store = store
    this.#world = world
  }

  async explain(name: string, options: ReadOptions): Promise<LockExplanation> {
    const { revision, kvs } = await readWholeRange(this.#store, lockQueueRange(name), options)
    const leases = kvs.length === 0 ? new Map() : await this.#leases(options)
    return explanation(name, revision, kvs, leases)
  }

  async list(options: ReadOptions): Promise<readonly LockExplanation[]> {
    const { revision, kvs } = await readWholeRange(this.#store, prefixRange(locksPrefix), options)
    const byName = new Map<string, KeyValue[]>()
    for (const kv of kvs) {
      const name = lockNameOfKey(kv.key)
      if (name !== undefined) byName.set(name, [...(byName.get(name) ?? []), kv])
    }
    const leases = kvs.length === 0 ? new Map() : await this.#leases(options)
    return [...byName]
      .map(([name, own]) => explanation(name, revision, own, leases))
      .sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  async forceRelease(
    name: string,
    options: { readonly by: string; readonly reason: string; readonly token?: number },
  ): Promise<ForcedRelease> {
    const by = requiredText('by', options.by)
    const reason = requiredText('reason', options.reason)
    const { kvs } = await readWholeRange(this.#store, lockQueueRange(name))
    const holder = byCreation(kvs)[0]
    if (holder === undefined) {
      throw new AlthingError('not-found', `nobody holds lock "${name}"`, { outcome: 'none' })
    }
    if (options.token !== undefined && holder.createRevision !== options.token) {
      throw holderChanged(name, options.token)
    }
    const record: ForcedRelease = {
      name,
      token: holder.createRevision,
      by,
      reason,
      atMs: this.#world.clock.wallMs(),
      holder: lockParty(holder, undefined),
    }
    await this.#decide(name, holder, record)
    await this.#store.txn({ then: [{ op: 'delete', key: holder.key }] })
    this.#world.logger.log('warn', 'a lock was released by force', {
      lock: name,
      token: record.token,
      by,
      reason,
    })
    return record
  }

  async forcedReleases(name: string): Promise<readonly ForcedRelease[]> {
    const { kvs } = await readWholeRange(this.#store, lockAuditRange(name))
    return kvs.flatMap((kv) => decodeForcedRelease(kv.value) ?? [])
  }

  /**
   * Writes the record and, into the holder's key, the order to leave, at one revision. A holder that listens gives the lock up on reading it,
   * before the next one starts; the key of one that does not is deleted afterwards.
   */
  async #decide(name: string, holder: KeyValue, record: ForcedRelease): Promise<void> {
    const entry = decodeLockEntry(holder.value) ?? { ttlMs: 0, queuedAtMs: 0 }
    const order = encodeLockEntry({ ...entry, forced: { by: record.by, reason: record.reason } })
    const audit = await this.#store.grantLease({ ttlMs: auditKeptMs })
    const reply = await this.#store.txn({
      compare: [fenceCompare({ key: holder.key, token: record.token })],
      then: [
        { op: 'put', key: holder.key, value: order, lease: 'keep' },
        {
          op: 'put',
          key: lockAuditKey(name, record.token),
          value: encodeForcedRelease(record),
          lease: audit.lease,
        },
      ],
    })
    if (reply.succeeded) return
    await this.#store.revokeLease(audit.lease)
    throw holderChanged(name, record.token)
  }

  async #leases(options: ReadOptions): Promise<ReadonlyMap<number, LeaseStatus>> {
    const leases = await this.#store.leases(options)
    return new Map(leases.map((status) => [status.lease, status]))
  }
}

function explanation(
  name: string,
  revision: number,
  kvs: readonly KeyValue[],
  leases: ReadonlyMap<number, LeaseStatus>,
): LockExplanation {
  const [holder, ...waiters] = byCreation(kvs).map((kv) => lockParty(kv, leases.get(kv.lease)))
  // The one that did not have to wait wrote its key once, and has held the lock since.
  const since = holder === undefined ? undefined : (holder.heldSinceMs ?? holder.queuedAtMs)
  return {
    name,
    revision,
    holder: holder === undefined || since === undefined ? undefined : { ...holder, heldSinceMs: since },
    waiters,
  }
}

function requiredText(field: string, text: string): string {
  const checked = shortText(field, text, 512)
  if (checked === undefined || checked.length === 0) throw invalidArgument(field, text, 'a text')
  return checked
}

function holderChanged(name: string, token: number): AlthingError {
  return new AlthingError('conflict', `lock "${name}" is not held with token ${token} any more`, {
    outcome: 'none',
    details: { name, token },
  })
}
