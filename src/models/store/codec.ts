import type { Compare, CompareOp, KeyRange, LeaseId, Operation, RangeRequest } from '../../contracts/store.ts'
import { BinaryReader, BinaryWriter } from './binary.ts'
import type { SessionStamp, StoreCommand, StoreMutation } from './types.ts'

/**
 * The form of a command in the replicated log:
 *
 *     format (1 byte) | type (1 byte) | session, sequence, acknowledged (of a mutation) | fields
 *
 * A log is read by later versions of the program: a change of the form takes a new format byte, and the old one stays readable. Format 2 is format 1
 * with more types; a command is written in the oldest format that has its type, so that what members of the previous version can read is written so that they can.
 */
const formats = [1, 2]

const commandTypes = [
  'openSession',
  'expireLeases',
  'txn',
  'grantLease',
  'revokeLease',
  'compact',
  'closeSession',
  'setQuota',
  'checkpoint',
] as const
const compareTargets = ['value', 'version', 'createRevision', 'modRevision', 'lease'] as const
const compareOps: readonly CompareOp[] = ['=', '!=', '<', '>']
const operationTypes = ['range', 'put', 'delete'] as const

/** The least bytes that an element of a list takes: what a hostile count is measured by. */
const compareBytesMin = 4
const operationBytesMin = 3

const rangeFlags = { descending: 1, keysOnly: 2, countOnly: 4, limit: 8, revision: 16 } as const
const putFlags = { previous: 1, keepLease: 2 } as const

/** The command must be well formed ({@link validateMutation}). */
export function encodeCommand(command: StoreCommand): Uint8Array {
  if ('session' in command) return encodeMutation(command, command)
  const writer = beginCommand(command)
  if (command.type === 'openSession') writer.text(command.ownerKey)
  else if (command.type === 'expireLeases') writeList(writer, command.leases, (lease) => writer.uint(lease))
  else if (command.type === 'setQuota') writer.uint(command.bytes)
  return writer.finish()
}

/** The bytes of the command that `mutation` is with this stamp, without making it. */
export function encodeMutation(mutation: StoreMutation, stamp: SessionStamp): Uint8Array {
  const writer = beginCommand(mutation)
  writer.uint(stamp.session)
  writer.uint(stamp.sequence)
  writer.uint(stamp.acknowledged)
  writeMutation(writer, mutation)
  return writer.finish()
}

function beginCommand(command: StoreCommand | StoreMutation): BinaryWriter {
  const writer = new BinaryWriter(bytesExpected(command))
  writer.byte(formatOf(command.type))
  writer.byte(commandTypes.indexOf(command.type))
  return writer
}

/** Throws `corrupt` when `bytes` are not the exact form of a command. Values are copies: they hold on to nothing of `bytes`. */
export function decodeCommand(bytes: Uint8Array): StoreCommand {
  const reader = new BinaryReader(bytes, 'a store command')
  const version = reader.byte()
  if (!formats.includes(version))
    throw reader.corrupt(`has format ${version}, but this program reads ${formats.join(' and ')}`)
  const type = member(reader, commandTypes, 'type')
  if (formatOf(type) !== version) throw reader.corrupt(`has format ${version}, which has no ${type}`)
  const command = readCommand(reader, type)
  reader.end()
  return command
}

function formatOf(type: StoreCommand['type']): number {
  return type === 'setQuota' || type === 'checkpoint' ? 2 : 1
}

function bytesExpected(command: StoreCommand | StoreMutation): number {
  if (command.type !== 'txn') return 64
  let bytes = 32
  for (const compare of command.compare) bytes += 16 + compare.key.length
  for (const operation of command.then) {
    bytes += 24 + operation.key.length + (operation.op === 'put' ? operation.value.byteLength : 0)
  }
  return bytes
}

function writeMutation(writer: BinaryWriter, mutation: StoreMutation): void {
  switch (mutation.type) {
    case 'txn':
      writeList(writer, mutation.compare, (compare) => writeCompare(writer, compare))
      writeList(writer, mutation.then, (operation) => writeOperation(writer, operation))
      writeList(writer, mutation.else, (operation) => writeOperation(writer, operation))
      break
    case 'grantLease':
      writer.uint(mutation.ttlMs)
      break
    case 'revokeLease':
      writer.uint(mutation.lease)
      break
    case 'compact':
      writer.uint(mutation.revision)
      break
    case 'closeSession':
      break
  }
}

function readCommand(reader: BinaryReader, type: (typeof commandTypes)[number]): StoreCommand {
  if (type === 'openSession') return { type, ownerKey: reader.text() }
  if (type === 'expireLeases') return { type, leases: readList(reader, 1, readUint) }
  if (type === 'setQuota') return { type, bytes: reader.uint() }
  if (type === 'checkpoint') return { type }
  const session = reader.uint()
  const sequence = reader.uint()
  const acknowledged = reader.uint()
  if (type === 'txn') return readTxn(reader, session, sequence, acknowledged)
  return { session, sequence, acknowledged, ...readOther(reader, type) }
}

/** Apart from the others and without a copy of the stamp: nearly every command is one. */
function readTxn(
  reader: BinaryReader,
  session: number,
  sequence: number,
  acknowledged: number,
): StoreCommand {
  const compare = readList(reader, compareBytesMin, readCompare)
  const then = readList(reader, operationBytesMin, readOperation)
  const otherwise = readList(reader, operationBytesMin, readOperation)
  return { session, sequence, acknowledged, type: 'txn', compare, then, else: otherwise }
}

function readOther(
  reader: BinaryReader,
  type: Exclude<StoreMutation['type'], 'txn'>,
): Exclude<StoreMutation, { type: 'txn' }> {
  switch (type) {
    case 'grantLease':
      return { type, ttlMs: reader.uint() }
    case 'revokeLease':
      return { type, lease: reader.uint() }
    case 'compact':
      return { type, revision: reader.uint() }
    case 'closeSession':
      return { type }
  }
}

function writeCompare(writer: BinaryWriter, compare: Compare): void {
  writer.byte(compareTargets.indexOf(compare.target))
  writer.byte(compareOps.indexOf(compare.op))
  writer.byteString(compare.key)
  if (compare.target === 'value') writer.bytes(compare.value)
  else writer.uint(compare.value)
}

function readCompare(reader: BinaryReader): Compare {
  const target = member(reader, compareTargets, 'comparison target')
  const op = member(reader, compareOps, 'comparison')
  const key = reader.byteString()
  return target === 'value'
    ? { target, key, op, value: reader.ownBytes() }
    : { target, key, op, value: reader.uint() }
}

function writeOperation(writer: BinaryWriter, operation: Operation): void {
  writer.byte(operationTypes.indexOf(operation.op))
  switch (operation.op) {
    case 'range':
      return writeRange(writer, operation)
    case 'put':
      writer.byteString(operation.key)
      writer.bytes(operation.value)
      writer.byte(
        (operation.previous === true ? putFlags.previous : 0) |
          (operation.lease === 'keep' ? putFlags.keepLease : 0),
      )
      return operation.lease === 'keep' ? undefined : writer.uint(operation.lease ?? 0)
    case 'delete':
      writeKeyRange(writer, operation)
      return writer.byte(operation.previous === true ? 1 : 0)
  }
}

function readOperation(reader: BinaryReader): Operation {
  const op = member(reader, operationTypes, 'operation')
  if (op === 'range') return { op, ...readRange(reader) }
  if (op === 'put') return readPut(reader)
  const range = readKeyRange(reader)
  return flags(reader, 1) === 1 ? { op, ...range, previous: true } : { op, ...range }
}

function readPut(reader: BinaryReader): Operation {
  const key = reader.byteString()
  const value = reader.ownBytes()
  const set = flags(reader, putFlags.previous | putFlags.keepLease)
  const lease: LeaseId | 'keep' = (set & putFlags.keepLease) !== 0 ? 'keep' : reader.uint()
  const isPlain = lease === 0 && (set & putFlags.previous) === 0
  if (isPlain) return { op: 'put', key, value }
  const put = { op: 'put', key, value, ...(lease === 0 ? {} : { lease }) } as const
  return (set & putFlags.previous) !== 0 ? { ...put, previous: true } : put
}

function writeRange(writer: BinaryWriter, request: RangeRequest): void {
  writeKeyRange(writer, request)
  writer.byte(
    (request.order === 'descending' ? rangeFlags.descending : 0) |
      (request.keysOnly === true ? rangeFlags.keysOnly : 0) |
      (request.countOnly === true ? rangeFlags.countOnly : 0) |
      (request.limit === undefined ? 0 : rangeFlags.limit) |
      (request.revision === undefined ? 0 : rangeFlags.revision),
  )
  if (request.limit !== undefined) writer.uint(request.limit)
  if (request.revision !== undefined) writer.uint(request.revision)
}

function readRange(reader: BinaryReader): RangeRequest {
  const range = readKeyRange(reader)
  const set = flags(reader, 31)
  return {
    ...range,
    ...((set & rangeFlags.descending) !== 0 ? { order: 'descending' as const } : {}),
    ...((set & rangeFlags.keysOnly) !== 0 ? { keysOnly: true } : {}),
    ...((set & rangeFlags.countOnly) !== 0 ? { countOnly: true } : {}),
    ...((set & rangeFlags.limit) !== 0 ? { limit: reader.uint() } : {}),
    ...((set & rangeFlags.revision) !== 0 ? { revision: reader.uint() } : {}),
  }
}

/** 0: one key. 1: to the end of the key space. 2: to the key that follows. */
function writeKeyRange(writer: BinaryWriter, range: KeyRange): void {
  writer.byteString(range.key)
  writer.byte(range.end === undefined ? 0 : range.end === null ? 1 : 2)
  if (typeof range.end === 'string') writer.byteString(range.end)
}

function readKeyRange(reader: BinaryReader): KeyRange {
  const key = reader.byteString()
  const kind = reader.byte()
  if (kind > 2) throw reader.corrupt(`has an unknown kind of range ${kind}`)
  if (kind === 0) return { key }
  return { key, end: kind === 1 ? null : reader.byteString() }
}

function writeList<T>(writer: BinaryWriter, list: readonly T[], write: (item: T) => void): void {
  writer.uint(list.length)
  for (const item of list) write(item)
}

function readList<T>(reader: BinaryReader, bytesEach: number, read: (reader: BinaryReader) => T): T[] {
  const count = reader.count(bytesEach)
  const list: T[] = []
  for (let i = 0; i < count; i++) list.push(read(reader))
  return list
}

function readUint(reader: BinaryReader): number {
  return reader.uint()
}

function member<T>(reader: BinaryReader, members: readonly T[], what: string): T {
  const index = reader.byte()
  const found = members[index]
  if (found === undefined) throw reader.corrupt(`has an unknown ${what} ${index}`)
  return found
}

function flags(reader: BinaryReader, allowed: number): number {
  const set = reader.byte()
  if ((set & ~allowed) !== 0) throw reader.corrupt(`has unknown flags ${set}`)
  return set
}
