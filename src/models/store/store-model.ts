import { runToEnd } from '../../base/run-to-end.ts'
import { AlthingError, invalidArgument, isAlthingError } from '../../contracts/errors.ts'
import type {
  KeyRange,
  LeaseId,
  LeaseStatus,
  RangeReply,
  RangeRequest,
  TxnReply,
} from '../../contracts/store.ts'
import type { Model } from '../model.ts'
import { KeySpace, type RevisionRecord } from './key-space.ts'
import { LeaseTable } from './leases.ts'
import { type StoreModelLimits, storeModelLimits } from './limits.ts'
import { SessionTable } from './sessions.ts'
import { hashChunks, type StoreState, writeSnapshot } from './snapshot.ts'
import { SnapshotReader } from './snapshot-reader.ts'
import { StateDigest } from './state-digest.ts'
import { leaseBytes } from './store-size.ts'
import {
  applyBranch,
  checkBranch,
  evaluateCompares,
  isReadOnly,
  leaseNotFound,
  type TxnMutation,
} from './txn.ts'
import type {
  SessionStamp,
  StateHash,
  StoreChange,
  StoreCommand,
  StoreMutation,
  StoreReader,
  StoreReply,
} from './types.ts'
import { validateMutation, validateRange } from './validate.ts'

const ownerKeyLengthMax = 256
const hashedPerStep = 4_096

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
  #quotaBytes = 0

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
      bytes: this.bytes,
      historyBytes: this.#keys.historyBytes,
    }
  }

  /** What counts against the quota; see `store-size.ts`. */
  get bytes(): number {
    return this.#keys.bytes + this.#leases.size * leaseBytes
  }

  get leaseCount(): number {
    return this.#leases.size
  }

  /** As set by the command `setQuota`; 0 when it is not set. */
  get quotaBytes(): number {
    return this.#quotaBytes
  }

  /** The values of the command become the model's own: nobody may change them afterwards (`decodeCommand` makes copies). */
  apply(command: StoreCommand): StoreReply {
    return this.applyWithChange(command).reply
  }

  /** As {@link apply}, for a shell that serves watches and measures leases. */
  applyWithChange(command: StoreCommand): Applied {
    if (command.type === 'openSession') return this.#openSession(command.ownerKey)
    if (command.type === 'expireLeases') return this.#expireLeases(command.leases)
    if (command.type === 'closeSession') return this.#closeSession(command.session)
    if (command.type === 'setQuota') return this.#setQuota(command.bytes)
    if (command.type === 'checkpoint') return unseen({ ok: true, type: 'checkpoint', ...this.stateHash() })
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

  /**
   * The reply to a transaction without `put` and `delete` on the state as it is now: what the same transaction would be answered from the log. Throws what
   * it would be refused with, and `invalid-argument` when it writes.
   */
  readTxn(txn: TxnMutation): TxnReply {
    validateMutation(txn)
    if (!isReadOnly(txn)) throw invalidArgument('txn', 'a transaction that writes', 'one that only reads')
    return this.#txnReply(txn).reply
  }

  /** Whether a command was applied already and its reply is kept: a repeat will change nothing. */
  isRepeat(stamp: SessionStamp): boolean {
    return this.#sessions.hasReply(stamp)
  }

  lease(lease: LeaseId): LeaseStatus | undefined {
    return this.#leases.get(lease)
  }

  /** In the order of their ids: all, or those after `after` until `hasRoom` says no. */
  leases(after = 0, hasRoom?: (status: LeaseStatus) => boolean): readonly LeaseStatus[] {
    return this.#leases.list(after, hasRoom)
  }

  /** The same without the keys: what a clock of leases needs. */
  leaseTtls(): Iterable<{ readonly lease: LeaseId; readonly ttlMs: number }> {
    return this.#leases.ttls()
  }

  hasLease(lease: LeaseId): boolean {
    return this.#leases.has(lease)
  }

  leaseKeyCount(lease: LeaseId): number {
    return this.#leases.keyCount(lease)
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
    return {
      keys: this.#keys.freeze(),
      leases: this.#leases.freeze(),
      sessions: this.#sessions.freeze(),
      quotaBytes: this.#quotaBytes,
    }
  }

  restore(chunks: Iterable<Uint8Array>): void {
    runToEnd(this.restoring(chunks))
  }

  /** As {@link restore}, in steps of some milliseconds. The state is the old one until the last step. */
  *restoring(chunks: Iterable<Uint8Array>): Generator<void, void, undefined> {
    const reader = new SnapshotReader()
    for (const chunk of chunks) yield* reader.add(chunk)
    yield* this.adopting(reader)
  }

  /** Takes the state of a snapshot that was read elsewhere, chunk by chunk. In steps, as {@link restoring}. */
  *adopting(reader: SnapshotReader): Generator<void, void, undefined> {
    const content = yield* reader.finish()
    const keys = new KeySpace(content.keys, content.keySums)
    this.#sessions = new SessionTable(this.#limits, content.sessions)
    this.#keys = keys
    this.#leases = content.leaseTable
    this.#quotaBytes = content.quotaBytes
  }

  /** The digests are kept up to date with each change: asking costs no more than a look at each session. */
  stateHash(): StateHash {
    return hashOf(this.#keys.revision, this.#keys.digest, this.#leases, this.#sessions.hash())
  }

  /**
   * The same computed anew from every key and lease, as they were when the first step was made; whatever differs from {@link stateHash} of that moment shows
   * that memory or program is broken. In steps of some milliseconds, while changes go on.
   */
  *recomputeStateHash(): Generator<void, StateHash, undefined> {
    const { revision, current } = this.#keys.freeze()
    const leases = this.#leases.freeze()
    const sessionsHash = this.#sessions.hash()
    const keyDigest = new StateDigest()
    const leaseDigest = new StateDigest()
    let done = 0
    for (const kv of current.values()) {
      keyDigest.addVersion(kv)
      if (++done % hashedPerStep === 0) yield
    }
    for (const [lease, ttlMs] of leases.ttls.entries()) {
      leaseDigest.countLease(lease, ttlMs, 1)
      if (++done % hashedPerStep === 0) yield
    }
    return hashOf(revision, keyDigest, { digest: leaseDigest, nextLease: leases.nextLease }, sessionsHash)
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

  #setQuota(bytes: number): Applied {
    this.#quotaBytes = bytes
    return unseen({ ok: true, type: 'setQuota', quotaBytes: bytes })
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

  #txn(txn: TxnMutation): Applied {
    const { reply, record } = this.#txnReply(txn)
    const change = record === undefined ? undefined : this.#change(record)
    return { reply: { ok: true, type: 'txn', reply }, change }
  }

  #txnReply(txn: TxnMutation): { reply: TxnReply; record: RevisionRecord | undefined } {
    const succeeded = evaluateCompares(this.#keys, txn.compare)
    const branch = succeeded ? txn.then : txn.else
    const budget = checkBranch(this.#keys, this.#leases, branch)
    const replies = applyBranch(this.#keys, this.#leases, branch, budget)
    const record = this.#keys.commit()
    return { reply: { revision: this.revision, succeeded, replies }, record }
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
  /** What counts against the quota; see `store-size.ts`. */
  readonly bytes: number
  /** The part of it that compaction can free. */
  readonly historyBytes: number
}

/** A reply to what neither watchers nor timers of leases need to hear of. */
function unseen(reply: StoreReply): Applied {
  return { reply, change: undefined }
}

function hashOf(
  revision: number,
  keys: StateDigest,
  leases: { readonly digest: StateDigest; readonly nextLease: LeaseId },
  sessionsHash: string,
): StateHash {
  const hash = keys.text([revision, ...leases.digest.lanes, leases.nextLease])
  return { revision, hash, sessionsHash }
}

function tooManyLeases(limit: number): AlthingError {
  return new AlthingError('overloaded', `there are ${limit} leases, the most allowed`, {
    outcome: 'none',
    details: { limit },
  })
}
