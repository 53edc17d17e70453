import { crc32 } from 'node:zlib'
import { runToEnd } from '../../base/run-to-end.ts'
import { BTree } from '../../base/btree.ts'
import type { ByteString } from '../../base/bytes.ts'
import { AlthingError } from '../../contracts/errors.ts'
import type { KeyValue, LeaseId, WatchEvent } from '../../contracts/store.ts'
import { BinaryReader } from './binary.ts'
import { KeySums } from './key-space.ts'
import { type FrozenLeases, LeaseTable } from './leases.ts'
import { readKeyValue, readReply } from './reply-codec.ts'
import { replyBytes, type Session } from './sessions.ts'
import {
  baseRevision,
  eventFlags,
  recordKinds,
  snapshotFormats,
  snapshotMagic,
  type StoreState,
} from './snapshot.ts'
import { StateDigest } from './state-digest.ts'
import { eventBytes } from './store-size.ts'

/** More than the largest record, a reply of 8 MiB, can take. */
const recordBytesMax = 64 * 1024 * 1024

/** The state that a snapshot holds, with what follows from it. */
export interface SnapshotContent extends StoreState {
  readonly keySums: KeySums
  readonly leaseTable: LeaseTable
}

/** Records, or keys, between two pauses: some milliseconds of work. */
const recordsPerStep = 256

/**
 * Reads a snapshot and checks all of it, in small steps, so that a large one never stops the loop: whoever runs the generators decides when each goes on.
 * Throws `corrupt`.
 */
export class SnapshotReader {
  readonly #builder = new StateBuilder()
  #checksum = 0
  #rest: Buffer = Buffer.alloc(0)
  #records = 0

  #addRecord(record: Buffer): void {
    if (this.#builder.isComplete) throw corrupt('goes on after its end')
    this.#builder.add(
      new BinaryReader(record.subarray(lengthBytes), 'a record of a snapshot'),
      this.#checksum,
    )
    this.#checksum = crc32(record, this.#checksum)
  }

  /** Chunks in their order, each to its end before the next. */
  *add(chunk: Uint8Array): Generator<void, void, undefined> {
    let bytes = this.#rest.length === 0 ? asBuffer(chunk) : Buffer.concat([this.#rest, chunk])
    for (let end = recordEnd(bytes, 0); end <= bytes.length; end = recordEnd(bytes, 0)) {
      this.#addRecord(bytes.subarray(0, end))
      bytes = bytes.subarray(end)
      if (++this.#records % recordsPerStep === 0) yield
    }
    this.#rest = bytes
  }

  *finish(): Generator<void, SnapshotContent, undefined> {
    if (this.#rest.length > 0) throw corrupt('ends within a record')
    return yield* this.#builder.finish()
  }
}

/** Reads a whole snapshot at once. */
export function readSnapshot(chunks: Iterable<Uint8Array>): SnapshotContent {
  const reader = new SnapshotReader()
  for (const chunk of chunks) runToEnd(reader.add(chunk))
  return runToEnd(reader.finish())
}

const lengthBytes = 4

/** Infinity when the length itself is not there yet. */
function recordEnd(bytes: Buffer, at: number): number {
  if (bytes.length - at < lengthBytes) return Number.POSITIVE_INFINITY
  const length = bytes.readUInt32LE(at)
  if (length > recordBytesMax) throw corrupt(`has a record of ${length} bytes`)
  return at + lengthBytes + length
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

interface Header {
  readonly revision: number
  readonly compactRevision: number
  readonly nextLease: number
  readonly nextSession: number
  readonly uses: number
  readonly quotaBytes: number
}

interface RecordBuilder {
  readonly revision: number
  readonly events: WatchEvent[]
  heldBytesTotal: number
}

class StateBuilder {
  isComplete = false
  #header: Header | undefined
  #kind = 0
  readonly #ttls = new BTree<LeaseId, number>()
  readonly #current = new BTree<ByteString, KeyValue>()
  readonly #keySums = new KeySums()
  readonly #leaseDigest = new StateDigest()
  readonly #records: RecordBuilder[] = []
  readonly #sessions = new BTree<number, Session>()
  #lastKey: ByteString | undefined
  #lastLease = 0
  #session: Session | undefined
  #lastSequence = 0

  /** `checksum` is that of everything before this record. */
  add(reader: BinaryReader, checksum: number): void {
    const kind = this.#nextKind(reader)
    if (this.#header === undefined) this.#header = readHeader(reader, kind)
    else this.#addPart(reader, kind, this.#header, checksum)
    reader.end()
  }

  *finish(): Generator<void, SnapshotContent, undefined> {
    const header = this.#header
    if (header === undefined || !this.isComplete) throw corrupt('ends too early')
    const newest = this.#records.at(-1)?.revision ?? baseRevision(header.compactRevision)
    if (newest !== header.revision)
      throw corrupt(`has changes up to revision ${newest}, not ${header.revision}`)
    const { revision, compactRevision, nextLease, nextSession, uses, quotaBytes } = header
    const leases = { nextLease, ttls: this.#ttls }
    const records = this.#records
    return {
      keys: { revision, compactRevision, current: this.#current, records, recordCount: records.length },
      keySums: this.#keySums,
      leases,
      leaseTable: yield* this.#leaseTable(leases),
      sessions: { nextSession, uses, sessions: this.#sessions },
      quotaBytes,
    }
  }

  *#leaseTable(leases: FrozenLeases): Generator<void, LeaseTable, undefined> {
    const table = new LeaseTable(leases, this.#leaseDigest)
    let keys = 0
    for (const { key, lease } of this.#current.values()) {
      if (lease !== 0 && !table.has(lease)) throw corrupt(`has a key on lease ${lease}, which does not exist`)
      table.move(key, 0, lease)
      if (++keys % (recordsPerStep * 8) === 0) yield
    }
    return table
  }

  /** Kinds come in the order of their numbers, but that the replies of a session follow it. */
  #nextKind(reader: BinaryReader): number {
    const kind = reader.byte()
    const goesBack = kind === recordKinds.session && this.#kind === recordKinds.reply
    if (kind < this.#kind && !goesBack)
      throw reader.corrupt(`of kind ${kind} stands after one of kind ${this.#kind}`)
    this.#kind = kind
    return kind
  }

  #addPart(reader: BinaryReader, kind: number, header: Header, checksum: number): void {
    switch (kind) {
      case recordKinds.lease:
        return this.#addLease(reader, header)
      case recordKinds.key:
        return this.#addKey(readKeyValue(reader), header, reader)
      case recordKinds.event:
        return this.#addEvent(reader, header)
      case recordKinds.session:
        return this.#addSession(reader, header)
      case recordKinds.reply:
        return this.#addReply(reader)
      case recordKinds.end:
        if (reader.uint() !== checksum) throw reader.corrupt('has another checksum than the snapshot')
        this.isComplete = true
        return
      default:
        throw reader.corrupt(`has an unknown kind ${kind}`)
    }
  }

  #addLease(reader: BinaryReader, header: Header): void {
    const lease = reader.uint()
    const ttlMs = reader.uint()
    if (lease <= this.#lastLease || lease >= header.nextLease)
      throw reader.corrupt(`has lease ${lease} out of order`)
    this.#lastLease = lease
    this.#ttls.set(lease, ttlMs)
    this.#leaseDigest.countLease(lease, ttlMs, 1)
  }

  #addKey(kv: KeyValue, header: Header, reader: BinaryReader): void {
    if (this.#lastKey !== undefined && kv.key <= this.#lastKey) throw reader.corrupt('has keys out of order')
    this.#lastKey = kv.key
    checkVersion(kv, baseRevision(header.compactRevision), reader)
    this.#current.set(kv.key, kv)
    this.#keySums.add(kv)
  }

  #addEvent(reader: BinaryReader, header: Header): void {
    const revision = reader.uint()
    const flags = reader.byte()
    const key = reader.byteString()
    const isPut = (flags & eventFlags.put) !== 0
    const value = isPut ? reader.ownBytes() : undefined
    const lease = isPut ? reader.uint() : 0
    const previous = this.#previousOf(key, flags, header, reader)
    if (value === undefined && previous === undefined) throw reader.corrupt('deletes a key that is not there')
    const event =
      value === undefined ? deletion(key, revision, previous) : put(key, value, lease, revision, previous)
    const replaced = event.type === 'put' ? this.#current.set(key, event.kv) : this.#current.delete(key)
    if (replaced !== undefined) this.#keySums.remove(replaced)
    if (event.type === 'put') this.#keySums.add(event.kv)
    const record = this.#recordOf(revision, key, header, reader)
    record.events.push(event)
    record.heldBytesTotal += eventBytes(previous)
  }

  #previousOf(key: ByteString, flags: number, header: Header, reader: BinaryReader): KeyValue | undefined {
    const current = this.#current.get(key)
    if ((flags & eventFlags.previousInBase) === 0) return current
    const previous = readKeyValue(reader)
    if (current !== undefined || previous.key !== key)
      throw reader.corrupt('has two versions before one event')
    checkVersion(previous, baseRevision(header.compactRevision), reader)
    return previous
  }

  #recordOf(revision: number, key: ByteString, header: Header, reader: BinaryReader): RecordBuilder {
    const last = this.#records.at(-1)
    if (last?.revision === revision) {
      if (key <= (this.#lastKey as ByteString)) throw reader.corrupt('has events out of order')
      this.#lastKey = key
      return last
    }
    const expected = (last?.revision ?? baseRevision(header.compactRevision)) + 1
    if (revision !== expected) throw reader.corrupt(`has revision ${revision} where ${expected} is due`)
    const record = { revision, events: [], heldBytesTotal: last?.heldBytesTotal ?? 0 }
    this.#records.push(record)
    this.#lastKey = key
    return record
  }

  #addSession(reader: BinaryReader, header: Header): void {
    const id = reader.uint()
    const ownerKey = reader.text()
    const lastUse = reader.uint()
    const acknowledged = reader.uint()
    if (id <= (this.#session?.id ?? 0) || id >= header.nextSession || lastUse > header.uses) {
      throw reader.corrupt(`has session ${id} out of order`)
    }
    this.#session = { id, ownerKey, lastUse, acknowledged, replies: new Map(), replyBytes: 0 }
    this.#lastSequence = acknowledged
    this.#sessions.set(id, this.#session)
  }

  #addReply(reader: BinaryReader): void {
    const session = this.#session
    const sequence = reader.uint()
    if (session === undefined || sequence <= this.#lastSequence)
      throw reader.corrupt(`has reply ${sequence} out of order`)
    this.#lastSequence = sequence
    const reply = readReply(reader)
    session.replies.set(sequence, reply)
    session.replyBytes += replyBytes(reply)
  }
}

function readHeader(reader: BinaryReader, kind: number): Header {
  if (kind !== recordKinds.header || reader.text() !== snapshotMagic) {
    throw corrupt('does not begin as a snapshot of a store')
  }
  const version = reader.uint()
  const { withoutQuota, withQuota } = snapshotFormats
  if (version !== withoutQuota && version !== withQuota) {
    throw corrupt(`has format ${version}, but this program reads ${withoutQuota} and ${withQuota}`)
  }
  const header: Header = {
    revision: reader.uint(),
    compactRevision: reader.uint(),
    nextLease: reader.uint(),
    nextSession: reader.uint(),
    uses: reader.uint(),
    quotaBytes: version === withQuota ? reader.uint() : 0,
  }
  if (header.compactRevision > header.revision) throw corrupt('is compacted beyond its revision')
  return header
}

function put(
  key: ByteString,
  value: Uint8Array,
  lease: LeaseId,
  revision: number,
  previous: KeyValue | undefined,
): WatchEvent {
  const createRevision = previous?.createRevision ?? revision
  const version = (previous?.version ?? 0) + 1
  const kv: KeyValue = { key, value, createRevision, modRevision: revision, version, lease }
  return previous === undefined ? { type: 'put', kv } : { type: 'put', kv, previous }
}

function deletion(key: ByteString, modRevision: number, previous: KeyValue | undefined): WatchEvent {
  return previous === undefined
    ? { type: 'delete', key, modRevision }
    : { type: 'delete', key, modRevision, previous }
}

function checkVersion(kv: KeyValue, base: number, reader: BinaryReader): void {
  if (kv.createRevision <= kv.modRevision && kv.modRevision <= base && kv.version > 0) return
  throw reader.corrupt(`has a key with impossible revisions (${kv.createRevision}, ${kv.modRevision})`)
}

function corrupt(why: string): AlthingError {
  return new AlthingError('corrupt', `the snapshot ${why}`)
}
