import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire'
import { AlthingError, isAlthingError } from '../../contracts/errors.ts'

/**
 * Messages of protocol buffers (proto3) by tables of fields; the wire format itself is a library's:
 *
 *     const keyValue = message({ key: one(1, latin1), modRevision: one(3, int), ... })
 *     keyValue.encode({ key: 'a' })      keyValue.decode(bytes).modRevision
 *
 * Absent fields decode to the zero of their type, absent messages to `undefined`; unknown fields are passed over; zeros are not written, as the format has it: where
 * they are, etcd takes an empty `range_end` for no end at all.
 */
export interface FieldType<In, Out> {
  readonly wireType: WireType
  zero(): Out
  isZero(value: In): boolean
  write(writer: BinaryWriter, value: In): void
  read(reader: BinaryReader): Out
}

export interface Field<In, Out> {
  readonly number: number
  readonly wireType: WireType
  initial(): Out
  write(writer: BinaryWriter, value: In): void
  /** `before` is what the field holds from earlier occurrences. */
  read(reader: BinaryReader, before: Out): Out
}

type Fields = Readonly<Record<string, Field<never, unknown>>>
type InOf<F> = F extends Field<infer In, infer _Out> ? In : never
type OutOf<F> = F extends Field<infer _In, infer Out> ? Out : never
type MessageIn<F extends Fields> = { readonly [Name in keyof F]?: InOf<F[Name]> | undefined }
type MessageOut<F extends Fields> = { readonly [Name in keyof F]: OutOf<F[Name]> }

export interface Message<In, Out> extends FieldType<In, Out | undefined> {
  encode(value: In): Buffer
  /** Throws `corrupt`. */
  decode(bytes: Uint8Array): Out
}

export type Sent<M> = M extends Message<infer In, unknown> ? In : never
export type Received<M> = M extends Message<never, infer Out> ? Out : never

export function one<In, Out>(number: number, type: FieldType<In, Out>): Field<In, Out> {
  return {
    number,
    wireType: type.wireType,
    initial: () => type.zero(),
    write(writer, value) {
      if (type.isZero(value)) return
      writer.tag(number, type.wireType)
      type.write(writer, value)
    },
    read: (reader) => type.read(reader),
  }
}

/** One of several that exclude each other: that it is there says something even when it is zero. */
export function choice<In, Out>(number: number, type: FieldType<In, Out>): Field<In, Out> {
  return one(number, { ...type, isZero: () => false })
}

/** For messages and byte strings; numbers would be packed, and none of etcd's are repeated. */
export function many<In, Out>(
  number: number,
  type: FieldType<In, Out>,
): Field<readonly In[], NonNullable<Out>[]> {
  return {
    number,
    wireType: WireType.LengthDelimited,
    initial: () => [],
    write(writer, values) {
      for (const value of values) {
        writer.tag(number, WireType.LengthDelimited)
        type.write(writer, value)
      }
    },
    read(reader, before) {
      before.push(type.read(reader) as NonNullable<Out>)
      return before
    },
  }
}

/** A 64-bit integer as a number. Beyond 2^53 it is the nearest that there is, and no safe integer any more. */
export const int: FieldType<number, number> = {
  wireType: WireType.Varint,
  zero: () => 0,
  isZero: (value) => value === 0,
  write: (writer, value) => writer.int64(value),
  read: (reader) => Number(reader.int64()),
}

/** A 64-bit integer that may be beyond what a number holds. Not negative. */
export const wideInt: FieldType<bigint, bigint> = {
  wireType: WireType.Varint,
  zero: () => 0n,
  isZero: (value) => value === 0n,
  write: (writer, value) => writer.uint64(value),
  read: (reader) => BigInt(reader.uint64()),
}

export const bool: FieldType<boolean, boolean> = {
  wireType: WireType.Varint,
  zero: () => false,
  isZero: (value) => !value,
  write: (writer, value) => writer.bool(value),
  read: (reader) => reader.bool(),
}

/** Bytes as a byte string: keys. */
export const latin1: FieldType<string, string> = {
  wireType: WireType.LengthDelimited,
  zero: () => '',
  isZero: (value) => value === '',
  write: (writer, value) => writer.bytes(Buffer.from(value, 'latin1')),
  read: (reader) => asBuffer(reader.bytes()).toString('latin1'),
}

export const utf8: FieldType<string, string> = {
  wireType: WireType.LengthDelimited,
  zero: () => '',
  isZero: (value) => value === '',
  write: (writer, value) => writer.string(value),
  read: (reader) => reader.string(),
}

/** What is read is a copy: it holds nothing of the message alive. */
export const bytes: FieldType<Uint8Array, Uint8Array> = {
  wireType: WireType.LengthDelimited,
  zero: () => new Uint8Array(0),
  isZero: (value) => value.byteLength === 0,
  write: (writer, value) => writer.bytes(value),
  read: (reader) => new Uint8Array(reader.bytes()),
}

export function message<F extends Fields>(fields: F): Message<MessageIn<F>, MessageOut<F>> {
  const all = Object.entries(fields)
  const byNumber = new Map(all.map(([name, field]) => [field.number, { name, field }]))
  const writeFields = (writer: BinaryWriter, value: Readonly<Record<string, unknown>>): void => {
    for (const [name, field] of all) {
      const given = value[name]
      if (given !== undefined) field.write(writer, given as never)
    }
  }
  const readFields = (reader: BinaryReader, end: number): MessageOut<F> => {
    const value: Record<string, unknown> = {}
    for (const [name, field] of all) value[name] = field.initial()
    while (reader.pos < end) {
      const [number, wireType] = reader.tag()
      const known = byNumber.get(number)
      if (known === undefined) reader.skip(wireType, number)
      else if (known.field.wireType !== wireType) throw malformed(`field ${number} has wire type ${wireType}`)
      else value[known.name] = known.field.read(reader, value[known.name])
    }
    if (reader.pos !== end) throw malformed('a field ends after its message')
    return value as MessageOut<F>
  }
  return {
    wireType: WireType.LengthDelimited,
    zero: () => undefined,
    isZero: () => false,
    write(writer, value) {
      writer.fork()
      writeFields(writer, value)
      writer.join()
    },
    read(reader) {
      const length = reader.uint32()
      return readFields(reader, reader.pos + length)
    },
    encode(value) {
      const writer = new BinaryWriter()
      writeFields(writer, value)
      return asBuffer(writer.finish())
    },
    decode: (data) => decoded(() => readFields(new BinaryReader(data), data.byteLength)),
  }
}

function asBuffer(data: Uint8Array): Buffer {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength)
}

/** The library throws errors of its own at what is cut or damaged. */
function decoded<T>(read: () => T): T {
  try {
    return read()
  } catch (error) {
    throw isAlthingError(error) ? error : malformed(error instanceof Error ? error.message : String(error))
  }
}

function malformed(what: string): AlthingError {
  return new AlthingError('corrupt', `not a protocol-buffer message of the form expected: ${what}`)
}
