import type { KeyValue, ReadOptions, Store } from '../../contracts/store.ts'
import type { World } from '../../contracts/world.ts'
import { readWholeRange } from '../range-pages.ts'
import { type ForceReleaseOptions, recordsIn, releaseByForce } from './forced-release.ts'
import {
  lockAuditKey,
  lockAuditRange,
  lockNameOfKey,
  lockQueueRange,
  locksPrefix,
  prefixRange,
} from './lock-entry.ts'
import { lockParties, modeOfKey } from './lock-line.ts'
import type { ForcedLockRelease, LockExplanation, LockParty } from './lock-types.ts'
import { holding, type Leases, leasesOf, partyOf } from './party.ts'

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
    return explanation(name, revision, kvs, await leasesOf(this.#store, kvs, options))
  }

  async list(options: ReadOptions): Promise<readonly LockExplanation[]> {
    const { revision, kvs } = await readWholeRange(this.#store, prefixRange(locksPrefix), options)
    const byName = groupByName(kvs, lockNameOfKey)
    const leases = await leasesOf(this.#store, kvs, options)
    return [...byName]
      .map(([name, own]) => explanation(name, revision, own, leases))
      .sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  async forceRelease(name: string, options: ForceReleaseOptions): Promise<ForcedLockRelease> {
    const { kvs } = await readWholeRange(this.#store, lockQueueRange(name))
    const target = {
      name,
      what: `lock "${name}"`,
      holders: lockParties(kvs).holders,
      partyOf: (kv: KeyValue) => lockParty(kv, new Map()),
      auditKey: (token: number) => lockAuditKey(name, token),
    }
    return await releaseByForce({ store: this.#store, world: this.#world }, target, options)
  }

  async forcedReleases(name: string): Promise<readonly ForcedLockRelease[]> {
    return await recordsIn<ForcedLockRelease>(this.#store, lockAuditRange(name))
  }
}

/** The keys of each name. Those of another form are left out. */
export function groupByName(
  kvs: readonly KeyValue[],
  nameOf: (key: string) => string | undefined,
): ReadonlyMap<string, readonly KeyValue[]> {
  const byName = new Map<string, KeyValue[]>()
  for (const kv of kvs) {
    const name = nameOf(kv.key)
    if (name === undefined) continue
    const own = byName.get(name)
    if (own === undefined) byName.set(name, [kv])
    else own.push(kv)
  }
  return byName
}

function lockParty(kv: KeyValue, leases: Leases): LockParty {
  return { ...partyOf(kv, leases), mode: modeOfKey(kv.key) }
}

function explanation(
  name: string,
  revision: number,
  kvs: readonly KeyValue[],
  leases: Leases,
): LockExplanation {
  const line = lockParties(kvs)
  const holders = line.holders.map((kv) => holding(lockParty(kv, leases)))
  return {
    name,
    revision,
    holder: holders[0],
    holders,
    waiters: line.waiters.map((kv) => lockParty(kv, leases)),
  }
}
