import { AlthingError } from '../../contracts/errors.ts'

/**
 * The part of the protocol-buffer wire format (proto3) that etcd's interface uses, driven by tables of fields:
 *
 *     const keyValue = message({ key: one(1, latin1), modRevision: one(3, int), ... })
 *     keyValue.encode({ key: 'a' })      keyValue.decode(bytes).modRevision
 *
 * Absent fields decode to the zero of their type, absent messages to `undefined`; unknown fields are passed over; zeros are not written, as the format has it: where
 * they are, etcd takes an empty `range_end` for no end at all.
 */
export interface FieldType<In, Out> {
  readonly wireType: 0 | 2
  zero(): Out
  isZero(value: In): boolean
  write(writer: Writer, value: In): void
  read(reader: Reader): Out
}

export interface Field<In, Out> {
  readonly number: number
  readonly wireType: 0 | 2
  initial(): Out
  write(writer: Writer, value: In): void
  /** `before` is what the field holds from earlier occurrences. */
  read(reader: Reader, before: Out): Out
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
      type.write(writer, value)
      writer.tag(number, type.wireType)
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
    wireType: 2,
    initial: () => [],
    write(writer, values) {
      for (let i = values.length - 1; i >= 0; i--) {
        type.write(writer, values[i] as In)
        writer.tag(number, 2)
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
  wireType: 0,
  zero: () => 0,
  isZero: (value) => value === 0,
  write: (writer, value) => {
    if (value < 0) writer.wideVarint(BigInt.asUintN(64, BigInt(value)))
    else writer.varint(value)
  },
  read: (reader) => reader.int64(),
}

/** A 64-bit integer that may be beyond what a number holds. Not negative. */
export const wideInt: FieldType<bigint, bigint> = {
  wireType: 0,
  zero: () => 0n,
  isZero: (value) => value === 0n,
  write: (writer, value) => writer.wideVarint(value),
  read: (reader) => reader.wideVarint(),
}

export const bool: FieldType<boolean, boolean> = {
  wireType: 0,
  zero: () => false,
  isZero: (value) => !value,
  write: (writer, value) => writer.varint(value ? 1 : 0),
  read: (reader) => reader.int64() !== 0,
}

/** Bytes as a byte string: keys. */
export const latin1: FieldType<string, string> = {
  wireType: 2,
  zero: () => '',
  isZero: (value) => value === '',
  write: (writer, value) => writer.text(value, 'latin1'),
  read: (reader) => reader.text('latin1'),
}

export const utf8: FieldType<string, string> = {
  wireType: 2,
  zero: () => '',
  isZero: (value) => value === '',
  write: (writer, value) => writer.text(value, 'utf8'),
  read: (reader) => reader.text('utf8'),
}

/** What is read is a copy: it holds nothing of the message alive. */
export const bytes: FieldType<Uint8Array, Uint8Array> = {
  wireType: 2,
  zero: () => new Uint8Array(0),
  isZero: (value) => value.byteLength === 0,
  write: (writer, value) => writer.bytes(value),
  read: (reader) => reader.bytes(),
}

export function message<F extends Fields>(fields: F): Message<MessageIn<F>, MessageOut<F>> {
  const names = Object.keys(fields)
  const backwards = names.toReversed().map((name) => [name, fields[name] as Fields[string]] as const)
  const byNumber = new Map(names.map((name) => [(fields[name] as Fields[string]).number, name]))
  const writeFields = (writer: Writer, value: Readonly<Record<string, unknown>>): void => {
    for (const [name, field] of backwards) {
      const given = value[name]
      if (given !== undefined) field.write(writer, given as never)
    }
  }
  const readFields = (reader: Reader, end: number): MessageOut<F> => {
    const value: Record<string, unknown> = {}
    for (const name of names) value[name] = (fields[name] as Fields[string]).initial()
    while (reader.position < end) {
      const tag = reader.int64()
      const name = byNumber.get(Math.floor(tag / 8))
      const field = name === undefined ? undefined : fields[name]
      if (name === undefined || field === undefined) reader.skip(tag % 8)
      else if (field.wireType !== tag % 8) throw malformed(`field ${field.number} has wire type ${tag % 8}`)
      else value[name] = field.read(reader, value[name])
    }
    if (reader.position !== end) throw malformed('a field ends after its message')
    return value as MessageOut<F>
  }
  return {
    wireType: 2,
    zero: () => undefined,
    isZero: () => false,
    write(writer, value) {
      const end = writer.length
      writeFields(writer, value)
      writer.varint(writer.length - end)
    },
    read(reader) {
      const end = reader.lengthDelimited()
      return readFields(reader, end)
    },
    encode(value) {
      const writer = new Writer()
      writeFields(writer, value)
      return writer.finish()
    },
    decode: (data) => readFields(new Reader(data), data.byteLength),
  }
}

/** Writes from the end to the beginning: the length of what is nested is known before the place where it is written. */
export class Writer {
  #buffer = Buffer.allocUnsafe(256)
  #start = 256

  get length(): number {
    return this.#buffer.length - this.#start
  }

  finish(): Buffer {
    return this.#buffer.subarray(this.#start)
  }

  tag(number: number, wireType: number): void {
    this.varint(number * 8 + wireType)
  }

  /** Not negative. */
  varint(value: number): void {
    let size = 1
    for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) size++
    let at = this.#take(size)
    let rest = value
    for (; rest >= 128; rest = Math.floor(rest / 128)) this.#buffer[at++] = (rest % 128) + 128
    this.#buffer[at] = rest
  }

  wideVarint(value: bigint): void {
    let size = 1
    for (let rest = value; rest >= 128n; rest >>= 7n) size++
    let at = this.#take(size)
    let rest = value
    for (; rest >= 128n; rest >>= 7n) this.#buffer[at++] = Number(rest & 127n) + 128
    this.#buffer[at] = Number(rest)
  }

  text(value: string, encoding: 'latin1' | 'utf8'): void {
    const length = encoding === 'latin1' ? value.length : Buffer.byteLength(value)
    const at = this.#take(length)
    this.#buffer.write(value, at, length, encoding)
    this.varint(length)
  }

  bytes(value: Uint8Array): void {
    const at = this.#take(value.byteLength)
    this.#buffer.set(value, at)
    this.varint(value.byteLength)
  }

  #take(size: number): number {
    if (size > this.#start) this.#grow(size)
    this.#start -= size
    return this.#start
  }

  #grow(size: number): void {
    const { length } = this
    const larger = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, length + size + 64))
    this.#buffer.copy(larger, larger.length - length, this.#start)
    this.#start = larger.length - length
    this.#buffer = larger
  }
}

export class Reader {
  readonly #buffer: Buffer
  position = 0

  constructor(data: Uint8Array) {
    this.#buffer = Buffer.from(data.buffer, data.byteOffset, data.byteLength)
  }

  int64(): number {
    const first = this.#byte()
    if (first < 128) return first
    let low = first & 127
    let high = 0
    for (let shift = 7; shift < 70; shift += 7) {
      const byte = this.#byte()
      const part = byte & 127
      if (shift < 28) low |= part << shift
      else if (shift === 28) {
        low |= (part & 15) << 28
        high = part >>> 4
      } else high |= part << (shift - 32)
      // The high word carries the sign.
      if (byte < 128) return high * 4_294_967_296 + (low >>> 0)
    }
    throw malformed('a number has more than ten bytes')
  }

  wideVarint(): bigint {
    let value = 0n
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#byte()
      value |= BigInt(byte & 127) << shift
      if (byte < 128) return BigInt.asUintN(64, value)
    }
    throw malformed('a number has more than ten bytes')
  }

  text(encoding: 'latin1' | 'utf8'): string {
    const end = this.lengthDelimited()
    const text = this.#buffer.toString(encoding, this.position, end)
    this.position = end
    return text
  }

  bytes(): Uint8Array {
    const end = this.lengthDelimited()
    const copy = new Uint8Array(this.#buffer.subarray(this.position, end))
    this.position = end
    return copy
  }

  /** Where what follows ends. */
  lengthDelimited(): number {
    const length = this.int64()
    const end = this.position + length
    if (length < 0 || end > this.#buffer.length) throw malformed('a field is cut')
    return end
  }

  skip(wireType: number): void {
    if (wireType === 0) this.int64()
    else if (wireType === 1) this.#pass(8)
    else if (wireType === 2) this.position = this.lengthDelimited()
    else if (wireType === 5) this.#pass(4)
    else throw malformed(`wire type ${wireType}`)
  }

  #pass(size: number): void {
    this.position += size
    if (this.position > this.#buffer.length) throw malformed('a field is cut')
  }

  #byte(): number {
    const byte = this.#buffer[this.position]
    if (byte === undefined) throw malformed('a number is cut')
    this.position++
    return byte
  }
}

function malformed(what: string): AlthingError {
  return new AlthingError('corrupt', `not a protocol-buffer message of the form expected: ${what}`)
}
