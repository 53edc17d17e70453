import { crc32 } from 'node:zlib'
import { BTree } from '../../base/btree.ts'
import type { ByteString } from '../../base/bytes.ts'
import { AlthingError } from '../../contracts/errors.ts'
import type { KeyValue, LeaseId, WatchEvent } from '../../contracts/store.ts'
import { BinaryReader } from './binary.ts'
import type { RevisionRecord } from './key-space.ts'
import { readKeyValue, readReply } from './reply-codec.ts'
import { replyBytes, type Session } from './sessions.ts'
import { baseRevision, eventFlags, recordKinds, snapshotFormat, type StoreState } from './snapshot.ts'

/** More than the largest record, a reply of 8 MiB, can take. */
const recordBytesMax = 64 * 1024 * 1024

/** Reads a whole snapshot and checks all of it. Throws `corrupt`. */
export function readSnapshot(chunks: Iterable<Uint8Array>): StoreState {
  const builder = new StateBuilder()
  let checksum = 0
  for (const record of recordsOf(chunks)) {
    if (builder.isComplete) throw corrupt('goes on after its end')
    builder.add(new BinaryReader(record.subarray(lengthBytes), 'a record of a snapshot'), checksum)
    checksum = crc32(record, checksum)
  }
  return builder.finish()
}

const lengthBytes = 4

/** Each record with its length before it. Valid until the next one is asked for. */
function* recordsOf(chunks: Iterable<Uint8Array>): Generator<Uint8Array, void, undefined> {
  let rest: Buffer = Buffer.alloc(0)
  for (const chunk of chunks) {
    rest = rest.length === 0 ? asBuffer(chunk) : Buffer.concat([rest, chunk])
    let at = 0
    for (;;) {
      const next = recordEnd(rest, at)
      if (next > rest.length) break
      yield rest.subarray(at, next)
      at = next
    }
    rest = rest.subarray(at)
  }
  if (rest.length > 0) throw corrupt('ends within a record')
}

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
}

class StateBuilder {
  isComplete = false
  #header: Header | undefined
  #kind = 0
  readonly #ttls = new BTree<LeaseId, number>()
  readonly #current = new BTree<ByteString, KeyValue>()
  readonly #records: { revision: number; events: WatchEvent[] }[] = []
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

  finish(): StoreState {
    const header = this.#header
    if (header === undefined || !this.isComplete) throw corrupt('ends too early')
    const newest = this.#records.at(-1)?.revision ?? baseRevision(header.compactRevision)
    if (newest !== header.revision)
      throw corrupt(`has changes up to revision ${newest}, not ${header.revision}`)
    for (const kv of this.#current.values()) {
      if (kv.lease !== 0 && !this.#ttls.has(kv.lease))
        throw corrupt(`has a key on lease ${kv.lease}, which does not exist`)
    }
    const { revision, compactRevision, nextLease, nextSession, uses } = header
    const records: RevisionRecord[] = this.#records
    return {
      keys: { revision, compactRevision, current: this.#current, records, recordCount: records.length },
      leases: { nextLease, ttls: this.#ttls },
      sessions: { nextSession, uses, sessions: this.#sessions },
    }
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
  }

  #addKey(kv: KeyValue, header: Header, reader: BinaryReader): void {
    if (this.#lastKey !== undefined && kv.key <= this.#lastKey) throw reader.corrupt('has keys out of order')
    this.#lastKey = kv.key
    checkVersion(kv, baseRevision(header.compactRevision), reader)
    this.#current.set(kv.key, kv)
  }

  #addEvent(reader: BinaryReader, header: Header): void {
    const revision = reader.uint()
    const flags = reader.byte()
    const key = reader.byteString()
    const isPut = (flags & eventFlags.put) !== 0
    const value = isPut ? new Uint8Array(reader.bytes()) : undefined
    const lease = isPut ? reader.uint() : 0
    const previous = this.#previousOf(key, flags, header, reader)
    if (value === undefined && previous === undefined) throw reader.corrupt('deletes a key that is not there')
    const event =
      value === undefined ? deletion(key, revision, previous) : put(key, value, lease, revision, previous)
    if (event.type === 'put') this.#current.set(key, event.kv)
    else this.#current.delete(key)
    this.#eventsOf(revision, key, header, reader).push(event)
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

  #eventsOf(revision: number, key: ByteString, header: Header, reader: BinaryReader): WatchEvent[] {
    const last = this.#records.at(-1)
    if (last?.revision === revision) {
      if (key <= (this.#lastKey as ByteString)) throw reader.corrupt('has events out of order')
      this.#lastKey = key
      return last.events
    }
    const expected = (last?.revision ?? baseRevision(header.compactRevision)) + 1
    if (revision !== expected) throw reader.corrupt(`has revision ${revision} where ${expected} is due`)
    const events: WatchEvent[] = []
    this.#records.push({ revision, events })
    this.#lastKey = key
    return events
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
  if (kind !== recordKinds.header || reader.text() !== snapshotFormat.magic) {
    throw corrupt('does not begin as a snapshot of a store')
  }
  const version = reader.uint()
  if (version !== snapshotFormat.version) {
    throw corrupt(`has format ${version}, but this program reads ${snapshotFormat.version}`)
  }
  const header: Header = {
    revision: reader.uint(),
    compactRevision: reader.uint(),
    nextLease: reader.uint(),
    nextSession: reader.uint(),
    uses: reader.uint(),
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
