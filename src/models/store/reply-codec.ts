import { errorCodes, type ErrorJson } from '../../contracts/errors.ts'
import type { KeyValue, OperationReply, TxnReply } from '../../contracts/store.ts'
import type { BinaryReader, BinaryWriter } from './binary.ts'
import type { StoreReply } from './types.ts'

/** The form of a kept reply in a snapshot. */

const replyTypes = [
  'error',
  'txn',
  'grantLease',
  'revokeLease',
  'expireLeases',
  'compact',
  'openSession',
  'closeSession',
  'setQuota',
  'checkpoint',
] as const

export function writeReply(writer: BinaryWriter, reply: StoreReply): void {
  writer.byte(replyTypes.indexOf(reply.ok ? reply.type : 'error'))
  if (!reply.ok) return writer.text(JSON.stringify(reply.error))
  switch (reply.type) {
    case 'txn':
      return writeTxnReply(writer, reply.reply)
    case 'grantLease':
      writer.uint(reply.lease)
      return writer.uint(reply.ttlMs)
    case 'revokeLease':
      return writer.uint(reply.revision)
    case 'expireLeases':
      writer.uint(reply.revision)
      writer.uint(reply.expired.length)
      for (const lease of reply.expired) writer.uint(lease)
      return
    case 'compact':
      return writer.uint(reply.compactRevision)
    case 'openSession':
      return writer.uint(reply.session)
    case 'closeSession':
      return
    case 'setQuota':
      return writer.uint(reply.quotaBytes)
    case 'checkpoint':
      writer.uint(reply.revision)
      writer.text(reply.hash)
      return writer.text(reply.sessionsHash)
  }
}

/** Throws `corrupt`. */
export function readReply(reader: BinaryReader): StoreReply {
  const index = reader.byte()
  const type = replyTypes[index]
  switch (type) {
    case 'error':
      return { ok: false, error: readError(reader) }
    case 'txn':
      return { ok: true, type, reply: readTxnReply(reader) }
    case 'grantLease':
      return { ok: true, type, lease: reader.uint(), ttlMs: reader.uint() }
    case 'revokeLease':
      return { ok: true, type, revision: reader.uint() }
    case 'expireLeases':
      return { ok: true, type, revision: reader.uint(), expired: readList(reader, 1, () => reader.uint()) }
    case 'compact':
      return { ok: true, type, compactRevision: reader.uint() }
    case 'openSession':
      return { ok: true, type, session: reader.uint() }
    case 'closeSession':
      return { ok: true, type }
    case 'setQuota':
      return { ok: true, type, quotaBytes: reader.uint() }
    case 'checkpoint':
      return { ok: true, type, revision: reader.uint(), hash: reader.text(), sessionsHash: reader.text() }
    default:
      throw reader.corrupt(`has a reply of an unknown type ${index}`)
  }
}

export function writeKeyValue(writer: BinaryWriter, kv: KeyValue): void {
  writer.byteString(kv.key)
  writer.bytes(kv.value)
  writer.uint(kv.createRevision)
  writer.uint(kv.modRevision)
  writer.uint(kv.version)
  writer.uint(kv.lease)
}

/** The value is a copy: it does not hold on to the input. */
export function readKeyValue(reader: BinaryReader): KeyValue {
  return {
    key: reader.byteString(),
    value: reader.ownBytes(),
    createRevision: reader.uint(),
    modRevision: reader.uint(),
    version: reader.uint(),
    lease: reader.uint(),
  }
}

function writeTxnReply(writer: BinaryWriter, reply: TxnReply): void {
  writer.uint(reply.revision)
  writer.byte(reply.succeeded ? 1 : 0)
  writer.uint(reply.replies.length)
  for (const part of reply.replies) writeOperationReply(writer, part)
}

function readTxnReply(reader: BinaryReader): TxnReply {
  return {
    revision: reader.uint(),
    succeeded: readBoolean(reader),
    replies: readList(reader, 1, () => readOperationReply(reader)),
  }
}

const operationReplies = { range: 0, put: 1, putWithPrevious: 2, delete: 3, deleteWithPrevious: 4 } as const

function writeOperationReply(writer: BinaryWriter, reply: OperationReply): void {
  switch (reply.op) {
    case 'range':
      writer.byte(operationReplies.range)
      writer.uint(reply.count)
      writer.byte(reply.more ? 1 : 0)
      return writeKeyValues(writer, reply.kvs)
    case 'put':
      writer.byte(reply.previous === undefined ? operationReplies.put : operationReplies.putWithPrevious)
      return reply.previous === undefined ? undefined : writeKeyValue(writer, reply.previous)
    case 'delete':
      writer.byte(
        reply.previous === undefined ? operationReplies.delete : operationReplies.deleteWithPrevious,
      )
      writer.uint(reply.deleted)
      return reply.previous === undefined ? undefined : writeKeyValues(writer, reply.previous)
  }
}

function readOperationReply(reader: BinaryReader): OperationReply {
  const kind = reader.byte()
  switch (kind) {
    case operationReplies.range: {
      const count = reader.uint()
      const more = readBoolean(reader)
      return { op: 'range', kvs: readKeyValues(reader), count, more }
    }
    case operationReplies.put:
      return { op: 'put' }
    case operationReplies.putWithPrevious:
      return { op: 'put', previous: readKeyValue(reader) }
    case operationReplies.delete:
      return { op: 'delete', deleted: reader.uint() }
    case operationReplies.deleteWithPrevious:
      return { op: 'delete', deleted: reader.uint(), previous: readKeyValues(reader) }
    default:
      throw reader.corrupt(`has a reply to an unknown operation ${kind}`)
  }
}

function writeKeyValues(writer: BinaryWriter, kvs: readonly KeyValue[]): void {
  writer.uint(kvs.length)
  for (const kv of kvs) writeKeyValue(writer, kv)
}

function readKeyValues(reader: BinaryReader): KeyValue[] {
  return readList(reader, 6, () => readKeyValue(reader))
}

function readList<T>(reader: BinaryReader, bytesEach: number, read: () => T): T[] {
  const count = reader.count(bytesEach)
  const list: T[] = []
  for (let i = 0; i < count; i++) list.push(read())
  return list
}

function readBoolean(reader: BinaryReader): boolean {
  const value = reader.byte()
  if (value > 1) throw reader.corrupt(`has ${value} where a boolean stands`)
  return value === 1
}

function readError(reader: BinaryReader): ErrorJson {
  const text = reader.text()
  let error: Partial<ErrorJson> | null
  try {
    error = JSON.parse(text)
  } catch {
    throw reader.corrupt('has an error that is not JSON')
  }
  if (!isErrorJson(error)) throw reader.corrupt('has an error without a known code')
  return error
}

export function isErrorJson(value: unknown): value is ErrorJson {
  if (typeof value !== 'object' || value === null) return false
  const { code, message, retryable, outcome, details } = value as Partial<Record<keyof ErrorJson, unknown>>
  return (
    typeof code === 'string' &&
    Object.hasOwn(errorCodes, code) &&
    typeof message === 'string' &&
    typeof retryable === 'boolean' &&
    (outcome === undefined || outcome === 'none' || outcome === 'unknown') &&
    (details === undefined || (typeof details === 'object' && details !== null))
  )
}
