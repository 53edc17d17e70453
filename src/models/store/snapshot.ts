import { createHash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import type { WatchEvent } from '../../contracts/store.ts'
import { BinaryWriter } from './binary.ts'
import { eventKey, type FrozenKeySpace, keyValueBytes, type RevisionRecord } from './key-space.ts'
import type { FrozenLeases } from './leases.ts'
import { writeKeyValue, writeReply } from './reply-codec.ts'
import type { FrozenSessions, Session } from './sessions.ts'

/**
 * The form of a snapshot: a stream of records, cut into chunks without regard to their borders.
 *
 *     record   length of what follows (4 bytes, little endian) | kind (1 byte) | fields
 *     stream   header | lease ... | key ... | event ... | session, reply ... | end
 *
 * The `key` records are the live keys that have not changed since the compaction; the `event` records hold what changed after it, from which the rest
 * follows. A version is written once: the first event of a key carries the version before it, which nothing else holds. `end` has the CRC-32 of all
 * before it. Equal states give equal bytes.
 */
export interface StoreState {
  readonly keys: FrozenKeySpace
  readonly leases: FrozenLeases
  readonly sessions: FrozenSessions
  /** 0: not set. */
  readonly quotaBytes: number
}

export const snapshotMagic = 'althing store'
/** Format 2 has a quota in its header. Without one the older is written, which members of the previous version can read. */
export const snapshotFormats = { withoutQuota: 1, withQuota: 2 } as const
export const recordKinds = { header: 1, lease: 2, key: 3, event: 4, session: 5, reply: 6, end: 7 } as const

const chunkBytesMax = 256 * 1024

export function* writeSnapshot(state: StoreState): Generator<Uint8Array, void, undefined> {
  const chunker = new Chunker()
  for (const writer of records(state)) yield* chunker.add(writer.finish())
  const end = new BinaryWriter(16)
  end.byte(recordKinds.end)
  end.uint(chunker.checksum)
  yield* chunker.add(end.finish())
  if (chunker.rest().byteLength > 0) yield chunker.rest()
}

/** SHA-256 of the chunks, in hexadecimal. */
export function hashChunks(chunks: Iterable<Uint8Array>): string {
  const hash = createHash('sha256')
  for (const chunk of chunks) hash.update(chunk)
  return hash.digest('hex')
}

/** The revision that the `key` records show; the `event` records begin with the one after it. Revision 1 has no events. */
export function baseRevision(compactRevision: number): number {
  return Math.max(1, compactRevision)
}

class Chunker {
  checksum = 0
  #chunk: Buffer = Buffer.allocUnsafeSlow(chunkBytesMax)
  #filled = 0

  rest(): Uint8Array {
    return this.#chunk.subarray(0, this.#filled)
  }

  *add(body: Uint8Array): Generator<Uint8Array, void, undefined> {
    const head = Buffer.allocUnsafe(4)
    head.writeUInt32LE(body.byteLength)
    for (const part of [head, body]) {
      this.checksum = crc32(part, this.checksum)
      yield* this.#fill(part)
    }
  }

  *#fill(bytes: Uint8Array): Generator<Uint8Array, void, undefined> {
    for (let from = 0; from < bytes.byteLength; ) {
      const taken = Math.min(bytes.byteLength - from, chunkBytesMax - this.#filled)
      this.#chunk.set(bytes.subarray(from, from + taken), this.#filled)
      this.#filled += taken
      from += taken
      if (this.#filled < chunkBytesMax) continue
      yield this.#chunk
      this.#chunk = Buffer.allocUnsafeSlow(chunkBytesMax)
      this.#filled = 0
    }
  }
}

function* records(state: StoreState): Generator<BinaryWriter, void, undefined> {
  yield headerRecord(state)
  for (const [lease, ttlMs] of state.leases.ttls.entries()) {
    yield record(recordKinds.lease, 32, (writer) => {
      writer.uint(lease)
      writer.uint(ttlMs)
    })
  }
  yield* keyRecords(state.keys)
  for (const session of state.sessions.sessions.values()) yield* sessionRecords(session)
}

function headerRecord({ keys, leases, sessions, quotaBytes }: StoreState): BinaryWriter {
  return record(recordKinds.header, 64, (writer) => {
    writer.text(snapshotMagic)
    writer.uint(quotaBytes === 0 ? snapshotFormats.withoutQuota : snapshotFormats.withQuota)
    writer.uint(keys.revision)
    writer.uint(keys.compactRevision)
    writer.uint(leases.nextLease)
    writer.uint(sessions.nextSession)
    writer.uint(sessions.uses)
    if (quotaBytes > 0) writer.uint(quotaBytes)
  })
}

function* keyRecords(keys: FrozenKeySpace): Generator<BinaryWriter, void, undefined> {
  const base = baseRevision(keys.compactRevision)
  for (const kv of keys.current.values()) {
    if (kv.modRevision > base) continue
    yield record(recordKinds.key, keyValueBytes(kv) + 16, (writer) => writeKeyValue(writer, kv))
  }
  for (let i = 0; i < keys.recordCount; i++) {
    const { revision, events } = keys.records[i] as RevisionRecord
    for (const event of events) yield eventRecord(revision, event, base)
  }
}

export const eventFlags = { put: 1, previousInBase: 2 } as const

function eventRecord(revision: number, event: WatchEvent, base: number): BinaryWriter {
  const previous =
    event.previous !== undefined && event.previous.modRevision <= base ? event.previous : undefined
  const bytes = (event.type === 'put' ? keyValueBytes(event.kv) : event.key.length) + 64
  return record(
    recordKinds.event,
    bytes + (previous === undefined ? 0 : keyValueBytes(previous)),
    (writer) => {
      writer.uint(revision)
      writer.byte(
        (event.type === 'put' ? eventFlags.put : 0) |
          (previous === undefined ? 0 : eventFlags.previousInBase),
      )
      writer.byteString(eventKey(event))
      if (event.type === 'put') {
        writer.bytes(event.kv.value)
        writer.uint(event.kv.lease)
      }
      if (previous !== undefined) writeKeyValue(writer, previous)
    },
  )
}

function* sessionRecords(session: Session): Generator<BinaryWriter, void, undefined> {
  yield record(recordKinds.session, 64 + session.ownerKey.length, (writer) => {
    writer.uint(session.id)
    writer.text(session.ownerKey)
    writer.uint(session.lastUse)
    writer.uint(session.acknowledged)
  })
  // The order of arrival is no part of the state, so it must not show in the bytes.
  for (const [sequence, reply] of [...session.replies].sort(([a], [b]) => a - b)) {
    yield record(recordKinds.reply, 64, (writer) => {
      writer.uint(sequence)
      writeReply(writer, reply)
    })
  }
}

function record(kind: number, bytesExpected: number, write: (writer: BinaryWriter) => void): BinaryWriter {
  const writer = new BinaryWriter(bytesExpected)
  writer.byte(kind)
  write(writer)
  return writer
}
