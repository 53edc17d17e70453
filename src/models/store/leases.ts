import { BTree } from '../../base/btree.ts'
import type { ByteString } from '../../base/bytes.ts'
import type { LeaseId, LeaseStatus } from '../../contracts/store.ts'
import { StateDigest } from './state-digest.ts'

export interface FrozenLeases {
  readonly nextLease: LeaseId
  readonly ttls: BTree<LeaseId, number>
}

/** The leases and the keys that hang on each. Time is no matter of the model: it is told when a lease has ended. */
export class LeaseTable {
  #nextLease: LeaseId
  readonly #ttls: BTree<LeaseId, number>
  /** Follows from the keys, so it is no part of a snapshot. A lease without keys has no entry. */
  readonly #keys = new Map<LeaseId, Set<ByteString>>()
  readonly #digest: StateDigest

  /** `digest` is that of `state.ttls`. */
  constructor(state?: FrozenLeases, digest: StateDigest = new StateDigest()) {
    this.#nextLease = state?.nextLease ?? 1
    this.#ttls = state?.ttls.clone() ?? new BTree()
    this.#digest = digest
  }

  get nextLease(): LeaseId {
    return this.#nextLease
  }

  /** Of the leases and their times to live. */
  get digest(): StateDigest {
    return this.#digest
  }

  get size(): number {
    return this.#ttls.size
  }

  has(lease: LeaseId): boolean {
    return this.#ttls.has(lease)
  }

  grant(ttlMs: number): LeaseId {
    const lease = this.#nextLease++
    this.#ttls.set(lease, ttlMs)
    this.#digest.countLease(lease, ttlMs, 1)
    return lease
  }

  /** Forgets the lease, and returns its keys in order; `undefined` when there is no such lease. */
  end(lease: LeaseId): readonly ByteString[] | undefined {
    const ttlMs = this.#ttls.delete(lease)
    if (ttlMs === undefined) return undefined
    this.#digest.countLease(lease, ttlMs, -1)
    const keys = this.#sortedKeys(lease)
    this.#keys.delete(lease)
    return keys
  }

  /** A key's lease has changed; 0 stands for none. */
  move(key: ByteString, from: LeaseId, to: LeaseId): void {
    if (from === to) return
    if (from !== 0) this.#detach(key, from)
    if (to === 0) return
    const keys = this.#keys.get(to)
    if (keys === undefined) this.#keys.set(to, new Set([key]))
    else keys.add(key)
  }

  get(lease: LeaseId): LeaseStatus | undefined {
    const ttlMs = this.#ttls.get(lease)
    return ttlMs === undefined ? undefined : { lease, ttlMs, keys: this.#sortedKeys(lease) }
  }

  keyCount(lease: LeaseId): number {
    return this.#keys.get(lease)?.size ?? 0
  }

  /** In the order of their ids, without their keys. */
  *ttls(): Generator<{ readonly lease: LeaseId; readonly ttlMs: number }, void, undefined> {
    for (const [lease, ttlMs] of this.#ttls.entries()) yield { lease, ttlMs }
  }

  /** In the order of their ids: those after `after`, until `hasRoom` says no. */
  list(after = 0, hasRoom: (status: LeaseStatus) => boolean = () => true): LeaseStatus[] {
    const statuses: LeaseStatus[] = []
    this.#ttls.scan(after + 1, null, (ttlMs, lease) => {
      const status = { lease, ttlMs, keys: this.#sortedKeys(lease) }
      if (!hasRoom(status)) return false
      statuses.push(status)
      return true
    })
    return statuses
  }

  freeze(): FrozenLeases {
    return { nextLease: this.#nextLease, ttls: this.#ttls.clone() }
  }

  #detach(key: ByteString, lease: LeaseId): void {
    const keys = this.#keys.get(lease)
    keys?.delete(key)
    if (keys?.size === 0) this.#keys.delete(lease)
  }

  #sortedKeys(lease: LeaseId): ByteString[] {
    return [...(this.#keys.get(lease) ?? [])].sort((a, b) => (a < b ? -1 : 1))
  }
}
