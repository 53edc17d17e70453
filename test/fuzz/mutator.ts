import { Packr } from 'msgpackr'
import type { SeededRandom } from '../../src/testing/world/seeded-random.ts'
import { asBuffer } from './fuzz-target.ts'

const packr = new Packr({ useRecords: false, int64AsType: 'number' })

/** Numbers at which counts, lengths and indexes turn over. */
const edges = [
  0,
  1,
  2,
  -1,
  127,
  128,
  255,
  256,
  65_535,
  65_536,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32 - 1,
  2 ** 53 - 1,
  2 ** 53,
]
const changesMax = 4
const depthMax = 12

/** Makes new inputs of old ones. Knows MessagePack, lengths and counts; knows nothing of what they mean. */
export class Mutator {
  readonly #random: SeededRandom

  constructor(random: SeededRandom) {
    this.#random = random
  }

  /** A changed copy of `parent`; `other` is another input, of which a part may be taken over. */
  mutate(parent: Uint8Array, other: Uint8Array, bytesMax: number): Buffer {
    const random = this.#random
    let bytes: Buffer = Buffer.from(parent)
    const structured = random.chance(0.3) ? this.#changeValue(bytes) : undefined
    if (structured !== undefined) bytes = structured
    if (structured === undefined || random.chance(0.2)) {
      const count = random.chance(0.5) ? 1 : random.integer(1, changesMax)
      for (let changes = count; changes > 0; changes--) bytes = this.#change(bytes, other)
    }
    return bytes.byteLength > bytesMax ? bytes.subarray(0, bytesMax) : bytes
  }

  #change(bytes: Buffer, other: Uint8Array): Buffer {
    const random = this.#random
    if (bytes.length === 0) return Buffer.from(random.bytes(random.integer(1, 16)))
    const at = random.integer(0, bytes.length - 1)
    switch (random.integer(0, 9)) {
      case 0:
        bytes[at] = (bytes[at] as number) ^ (1 << random.integer(0, 7))
        return bytes
      case 1:
        bytes[at] = random.integer(0, 255)
        return bytes
      case 2:
        bytes[at] = ((bytes[at] as number) + random.pick([-1, 1, 16, -16])) & 0xff
        return bytes
      case 3:
        return this.#writeEdge(bytes, at)
      case 4:
        return bytes.subarray(0, at)
      case 5:
        return this.#removePart(bytes, at)
      case 6:
        return this.#repeatPart(bytes, at)
      case 7:
        return this.#insert(bytes, at, random.bytes(random.integer(1, 8)))
      case 8:
        return this.#insert(bytes, at, this.#partOf(other))
      default:
        return this.#splice(bytes, at, other)
    }
  }

  #writeEdge(bytes: Buffer, at: number): Buffer {
    const value = this.#random.pick(edges)
    const width = this.#random.pick([1, 2, 4, 8])
    const source = Buffer.alloc(8)
    if (this.#random.chance(0.5)) source.writeBigInt64LE(BigInt(value))
    else source.writeBigInt64BE(BigInt(value))
    const part = this.#random.chance(0.5) ? source.subarray(0, width) : source.subarray(8 - width)
    part.copy(bytes, at, 0, Math.min(width, bytes.length - at))
    return bytes
  }

  #removePart(bytes: Buffer, at: number): Buffer {
    const end = at + this.#random.integer(1, Math.min(16, bytes.length - at))
    return Buffer.concat([bytes.subarray(0, at), bytes.subarray(end)])
  }

  #repeatPart(bytes: Buffer, at: number): Buffer {
    const end = at + this.#random.integer(1, Math.min(64, bytes.length - at))
    const times = this.#random.pick([1, 1, 2, 16])
    const repeated = Array.from({ length: times }, () => bytes.subarray(at, end))
    return Buffer.concat([bytes.subarray(0, end), ...repeated, bytes.subarray(end)])
  }

  #insert(bytes: Buffer, at: number, part: Uint8Array): Buffer {
    return Buffer.concat([bytes.subarray(0, at), part, bytes.subarray(at)])
  }

  #partOf(other: Uint8Array): Uint8Array {
    if (other.byteLength === 0) return other
    const start = this.#random.integer(0, other.byteLength - 1)
    return other.subarray(start, start + this.#random.integer(1, Math.min(64, other.byteLength - start)))
  }

  /** The beginning of one, the end of the other. */
  #splice(bytes: Buffer, at: number, other: Uint8Array): Buffer {
    const from = other.byteLength === 0 ? 0 : this.#random.integer(0, other.byteLength - 1)
    return Buffer.concat([bytes.subarray(0, at), other.subarray(from)])
  }

  /** The bytes as a MessagePack value, one part of it replaced; `undefined` when they are none. */
  #changeValue(bytes: Buffer): Buffer | undefined {
    try {
      const value: unknown = packr.unpack(bytes)
      if (!Array.isArray(value)) return undefined
      return asBuffer(packr.pack(this.#changed(value, depthMax)))
    } catch {
      return undefined
    }
  }

  #changed(value: unknown, depth: number): unknown {
    const random = this.#random
    if (Array.isArray(value) && depth > 0 && random.chance(0.85)) return this.#changedList(value, depth)
    if (value instanceof Uint8Array && random.chance(0.8)) return this.#change(Buffer.from(value), value)
    if (typeof value === 'number' && random.chance(0.6)) return this.#changedNumber(value)
    return this.#anyValue(2)
  }

  #changedList(list: readonly unknown[], depth: number): unknown {
    const random = this.#random
    const copy = [...list]
    const at = copy.length === 0 ? 0 : random.integer(0, copy.length - 1)
    const kind = random.integer(0, 9)
    if (kind === 0) copy.splice(at, 1)
    else if (kind === 1) copy.splice(at, 0, copy[at])
    else if (kind === 2) copy.splice(at, 0, this.#anyValue(2))
    else if (kind === 3) copy.reverse()
    else if (copy.length > 0) copy[at] = this.#changed(copy[at], depth - 1)
    return copy
  }

  #changedNumber(value: number): number {
    const random = this.#random
    return random.chance(0.5) ? random.pick(edges) : value + random.pick([-1, 1, 0.5, 1_000, -1_000])
  }

  #anyValue(depth: number): unknown {
    const random = this.#random
    switch (random.integer(0, depth > 0 ? 10 : 8)) {
      case 0:
        return null
      case 1:
        return random.chance(0.5)
      case 2:
        return random.integer(-5, 300)
      case 3:
        return random.pick(edges)
      case 4:
        return random.float() * 1e9
      case 5:
        return random.pick([Number.NaN, Number.POSITIVE_INFINITY, -0])
      case 6:
        return Buffer.from(random.bytes(random.integer(0, 20))).toString('latin1')
      case 7:
        return random.bytes(random.integer(0, 20))
      case 8:
        return undefined
      case 9:
        return Array.from({ length: random.integer(0, 4) }, () => this.#anyValue(depth - 1))
      default:
        return { key: this.#anyValue(depth - 1), ['__proto__']: this.#anyValue(depth - 1), length: 7 }
    }
  }
}
