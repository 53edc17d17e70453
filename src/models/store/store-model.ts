import { AlthingError, invalidArgument, isAlthingError } from '../../contracts/errors.ts'
import type { KeyRange, LeaseId, LeaseStatus, RangeReply, RangeRequest } from '../../contracts/store.ts'
import type { Model } from '../model.ts'
import { KeySpace, type RevisionRecord } from './key-space.ts'
import { LeaseTable } from './leases.ts'
import { type StoreModelLimits, storeModelLimits } from './limits.ts'
import { SessionTable } from './sessions.ts'
import { hashChunks, type StoreState, writeSnapshot } from './snapshot.ts'
import { readSnapshot } from './snapshot-reader.ts'
import { applyBranch, checkBranch, evaluateCompares, leaseNotFound } from './txn.ts'
import type { StoreChange, StoreCommand, StoreMutation, StoreReader, StoreReply } from './types.ts'
import { validateMutation, validateRange } from './validate.ts'

const ownerKeyLengthMax = 256

/** A command's reply, and what it changed; `undefined` when that is nothing a watcher or a timer of leases needs to know. */
export interface Applied {
  readonly reply: StoreReply
  readonly change: StoreChange | undefined
}

/**
 * The store as a deterministic state machine: keys with revisions, transactions, leases, sessions, compaction. An empty store is at revision 1.
 *
 * A command that is refused is a reply like any other and changes nothing but its session. What `range`, `eventsBetween` and the changes
 * hand out is shared with the model and must not be changed.
 */
export class StoreModel implements Model<StoreCommand, StoreReply>, StoreReader {
  readonly #limits: StoreModelLimits
  #keys = new KeySpace()
  #leases = new LeaseTable()
  #sessions: SessionTable

  /** `limits` must be the same for all replicas, for all time: they decide replies. */
  constructor(limits: StoreModelLimits = storeModelLimits) {
    this.#limits = limits
    this.#sessions = new SessionTable(limits)
  }

  get revision(): number {
    return this.#keys.revision
  }

  get compactRevision(): number {
    return this.#keys.compactRevision
  }

  /** Sizes of the state, for metrics and for automatic compaction. */
  get stats(): StoreStats {
    return {
      keys: this.#keys.size,
      leases: this.#leases.size,
      sessions: this.#sessions.size,
      revisionsKept: this.#keys.recordCount,
    }
  }

  apply(command: StoreCommand): StoreReply {
    return this.applyWithChange(command).reply
  }

  /** As {@link apply}, for a shell that serves watches and measures leases. */
  applyWithChange(command: StoreCommand): Applied {
    if (command.type === 'openSession') return this.#openSession(command.ownerKey)
    if (command.type === 'expireLeases') return this.#expireLeases(command.leases)
    if (command.type === 'closeSession') return this.#closeSession(command.session)
    if (command.session === 0) return this.#mutate(command)
    const answered = this.#sessions.admit(command)
    if (answered !== undefined) return { reply: answered, change: undefined }
    const applied = this.#mutate(command)
    this.#sessions.keep(command, applied.reply)
    return applied
  }

  range(request: RangeRequest): RangeReply {
    validateRange(request)
    return this.#keys.range(request)
  }

  lease(lease: LeaseId): LeaseStatus | undefined {
    return this.#leases.get(lease)
  }

  leases(): readonly LeaseStatus[] {
    return this.#leases.list()
  }

  eventsBetween(range: KeyRange, from: number, to: number): readonly StoreChange[] {
    return this.#keys.eventsBetween(range, from, to)
  }

  /** The chunks may be iterated over once, at any later time; each has at most 256 KiB. */
  snapshot(): Iterable<Uint8Array> {
    return writeSnapshot(this.freeze())
  }

  /** The state as it is now, in constant time: no later change reaches it. */
  freeze(): StoreState {
    return { keys: this.#keys.freeze(), leases: this.#leases.freeze(), sessions: this.#sessions.freeze() }
  }

  restore(chunks: Iterable<Uint8Array>): void {
    const state = readSnapshot(chunks)
    const keys = new KeySpace(state.keys)
    const leases = new LeaseTable(state.leases)
    for (const kv of state.keys.current.values()) leases.move(kv.key, 0, kv.lease)
    this.#sessions = new SessionTable(this.#limits, state.sessions)
    this.#keys = keys
    this.#leases = leases
  }

  /** Takes time in proportion to the whole state. */
  hash(): string {
    return hashChunks(this.snapshot())
  }

  #openSession(ownerKey: string): Applied {
    if (ownerKey.length === 0 || ownerKey.length > ownerKeyLengthMax) {
      const error = invalidArgument('ownerKey', ownerKey, `a text of 1 to ${ownerKeyLengthMax} characters`)
      return { reply: { ok: false, error: error.toJSON() }, change: undefined }
    }
    return {
      reply: { ok: true, type: 'openSession', session: this.#sessions.open(ownerKey) },
      change: undefined,
    }
  }

  /** A repeated closing finds no session; what was asked for is the case all the same. */
  #closeSession(session: number): Applied {
    this.#sessions.close(session)
    return { reply: { ok: true, type: 'closeSession' }, change: undefined }
  }

  #mutate(mutation: StoreMutation): Applied {
    try {
      validateMutation(mutation)
      return this.#mutateValid(mutation)
    } catch (error) {
      if (!isAlthingError(error)) throw error
      return { reply: { ok: false, error: error.toJSON() }, change: undefined }
    }
  }

  #mutateValid(mutation: StoreMutation): Applied {
    switch (mutation.type) {
      case 'txn':
        return this.#txn(mutation)
      case 'grantLease':
        return this.#grantLease(mutation.ttlMs)
      case 'revokeLease':
        return this.#revokeLease(mutation.lease)
      case 'compact':
        return this.#compact(mutation.revision)
      case 'closeSession':
        return { reply: { ok: true, type: 'closeSession' }, change: undefined }
    }
  }

  #txn(txn: Extract<StoreMutation, { type: 'txn' }>): Applied {
    const succeeded = evaluateCompares(this.#keys, txn.compare)
    const branch = succeeded ? txn.then : txn.else
    const budget = checkBranch(this.#keys, this.#leases, branch)
    const replies = applyBranch(this.#keys, this.#leases, branch, budget)
    const record = this.#keys.commit()
    const reply: StoreReply = {
      ok: true,
      type: 'txn',
      reply: { revision: this.revision, succeeded, replies },
    }
    return { reply, change: record === undefined ? undefined : this.#change(record) }
  }

  #grantLease(ttlMs: number): Applied {
    if (this.#leases.size >= this.#limits.leasesMax) throw tooManyLeases(this.#limits.leasesMax)
    const lease = this.#leases.grant(ttlMs)
    const change = { ...this.#change(undefined), leasesGranted: [{ lease, ttlMs }] }
    return { reply: { ok: true, type: 'grantLease', lease, ttlMs }, change }
  }

  #revokeLease(lease: LeaseId): Applied {
    const { ended, record } = this.#endLeases([lease])
    if (ended.length === 0) throw leaseNotFound(lease)
    const reply: StoreReply = { ok: true, type: 'revokeLease', revision: this.revision }
    return { reply, change: { ...this.#change(record), leasesEnded: ended } }
  }

  #expireLeases(leases: readonly LeaseId[]): Applied {
    const { ended, record } = this.#endLeases(leases)
    const reply: StoreReply = { ok: true, type: 'expireLeases', revision: this.revision, expired: ended }
    return { reply, change: ended.length === 0 ? undefined : { ...this.#change(record), leasesEnded: ended } }
  }

  /** Those that do not exist are passed over. All keys go at one revision. */
  #endLeases(leases: readonly LeaseId[]): { ended: LeaseId[]; record: RevisionRecord | undefined } {
    const ended: LeaseId[] = []
    for (const lease of leases) {
      const keys = this.#leases.end(lease)
      if (keys === undefined) continue
      ended.push(lease)
      for (const key of keys) this.#keys.delete(key)
    }
    return { ended, record: this.#keys.commit() }
  }

  #compact(revision: number): Applied {
    const before = this.compactRevision
    this.#keys.compact(revision)
    const compactRevision = this.compactRevision
    const reply: StoreReply = { ok: true, type: 'compact', compactRevision }
    return {
      reply,
      change: compactRevision === before ? undefined : { ...this.#change(undefined), compactRevision },
    }
  }

  #change(record: RevisionRecord | undefined): StoreChange {
    return { revision: this.revision, events: record?.events ?? [], leasesGranted: [], leasesEnded: [] }
  }
}

export interface StoreStats {
  readonly keys: number
  readonly leases: number
  readonly sessions: number
  /** Revisions after the last compaction, whose events are kept. */
  readonly revisionsKept: number
}

function tooManyLeases(limit: number): AlthingError {
  return new AlthingError('overloaded', `there are ${limit} leases, the most allowed`, {
    outcome: 'none',
    details: { limit },
  })
}
