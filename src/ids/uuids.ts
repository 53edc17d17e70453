import { invalidArgument } from '../contracts/errors.ts'
import type { World } from '../contracts/world.ts'
import { MonotonicTime, type OnUuidClockBack } from './monotonic-time.ts'
import { RandomPool } from './random-pool.ts'

export interface UuidOptions {
  /**
   * What `v7` and `ulid` do when the wall clock shows less than before. `'borrow'` (default): go on from the last time, and so keep the order, however far the clock
   * stepped; `'restart'`: follow the clock and begin the order anew (ids stay unique, by their random bits); `'throw'`: refuse with `unavailable`.
   */
  readonly onClockBack?: OnUuidClockBack
}

/** Texts of all numbers of so many bits, of one width. */
function tableOf(count: number, text: (value: number) => string): readonly string[] {
  return Array.from({ length: count }, (_, value) => text(value))
}

const hexOf = (digits: number) => (value: number) => value.toString(16).padStart(digits, '0')
const crockford = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const pairOf = (value: number) => `${crockford[value >>> 5]}${crockford[value & 31]}`

interface Tables {
  /** 4 hexadecimal digits of 16 bits. */
  readonly hex: readonly string[]
  /** 2 digits of Crockford's base 32 of 10 bits. */
  readonly base32: readonly string[]
}

let made: Tables | undefined

/** Made at the first use: some milliseconds and megabytes that not every program needs. */
function tables(): Tables {
  made ??= { hex: tableOf(65_536, hexOf(4)), base32: tableOf(1_024, pairOf) }
  return made
}

/**
 * UUIDs of version 4 and 7 (RFC 9562) and ULIDs, from the world's clock and random numbers.
 *
 * Version 7 is monotonic within one object by a dedicated counter (RFC 9562, section 6.2, method 1): `rand_a` and the first 30 bits of `rand_b` are a counter of 42 bits that begins each
 * millisecond at a random number below 2^41; the last 32 bits are random in each id. A counter that is used up goes on with the next millisecond.
 */
export class Uuids {
  readonly #pool: RandomPool
  readonly #time: MonotonicTime
  readonly #ulidTime: MonotonicTime
  readonly #hex: readonly string[]
  readonly #base32: readonly string[]
  /** Of version 7: all up to the last 16 bits of the counter. */
  #prefix = ''
  #counterHigh = 0
  #counterLow = 0
  #ulidPrefix = ''
  #ulidHigh = 0
  #ulidLow = 0

  constructor(world: Pick<World, 'clock' | 'random'>, options: UuidOptions = {}) {
    this.#pool = new RandomPool(world.random)
    this.#time = new MonotonicTime(world.clock, options.onClockBack)
    this.#ulidTime = new MonotonicTime(world.clock, options.onClockBack)
    this.#hex = tables().hex
    this.#base32 = tables().base32
  }

  /** 122 random bits; from the operating system in the Node world, so fit for secrets as far as 122 bits are. */
  v4(): string {
    const [pool, hex] = [this.#pool, this.#hex]
    const version = 0x4000 | (pool.word() & 0x0fff)
    const variant = 0x8000 | (pool.word() & 0x3fff)
    const head = `${hex[pool.word()]}${hex[pool.word()]}-`
    const middle = `${hex[pool.word()]}-${hex[version]}-`
    const tail = `${hex[pool.word()]}${hex[pool.word()]}${hex[pool.word()]}`
    return `${head}${middle}${hex[variant]}-${tail}`
  }

  /** Begins with the time in milliseconds; greater than every one before it from this object, as text and as bytes. */
  v7(): string {
    if (this.#time.advance()) this.#seed()
    else if (++this.#counterLow > 0xffff) this.#carry()
    const [pool, hex] = [this.#pool, this.#hex]
    // The three together are short enough that the engine copies them; only the last step makes a rope.
    const tail = hex[this.#counterLow] + (hex[pool.word()] as string) + (hex[pool.word()] as string)
    return this.#prefix + tail
  }

  /** 26 characters of Crockford's base 32: 48 bits of time, a counter of 40 bits that begins at random, 40 random bits. Sorts like version 7. */
  ulid(): string {
    if (this.#ulidTime.advance()) this.#seedUlid()
    else if (++this.#ulidLow >= 2 ** 20) this.#carryUlid()
    const [pool, base32] = [this.#pool, this.#base32]
    const [a, b, c] = [pool.word(), pool.word(), pool.word()]
    const counter = `${base32[this.#ulidLow >>> 10]}${base32[this.#ulidLow & 1_023]}`
    const random = `${base32[a >>> 6]}${base32[b >>> 6]}${base32[c >>> 6]}${base32[((a & 31) << 5) | (b & 31)]}`
    return this.#ulidPrefix + counter + random
  }

  /** Below half of its range, so that it has room to grow. */
  #seed(): void {
    this.#counterHigh = (((this.#pool.word() & 0x03ff) << 16) | this.#pool.word()) & 0x01ffffff
    this.#counterLow = this.#pool.word()
    this.#writePrefix()
  }

  #carry(): void {
    this.#counterLow = 0
    if (++this.#counterHigh >= 2 ** 26) {
      this.#time.borrow()
      this.#seed()
    } else this.#writePrefix()
  }

  #writePrefix(): void {
    const time = hexOf(12)(this.#time.last)
    const versioned = this.#hex[0x7000 | (this.#counterHigh >>> 14)]
    const varied = this.#hex[0x8000 | (this.#counterHigh & 0x3fff)]
    this.#prefix = flat(`${time.slice(0, 8)}-${time.slice(8)}-${versioned}-${varied}-`)
  }

  #seedUlid(): void {
    this.#ulidHigh = ((this.#pool.word() << 3) | (this.#pool.word() & 7)) & 0x7ffff
    this.#ulidLow = (this.#pool.word() << 4) | (this.#pool.word() & 15)
    this.#writeUlidPrefix()
  }

  #carryUlid(): void {
    this.#ulidLow = 0
    if (++this.#ulidHigh >= 2 ** 20) {
      this.#ulidTime.borrow()
      this.#seedUlid()
    } else this.#writeUlidPrefix()
  }

  #writeUlidPrefix(): void {
    let time = ''
    for (let rest = this.#ulidTime.last, i = 0; i < 5; i++, rest = Math.floor(rest / 1_024))
      time = `${this.#base32[rest % 1_024]}${time}`
    const high = `${this.#base32[this.#ulidHigh >>> 10]}${this.#base32[this.#ulidHigh & 1_023]}`
    this.#ulidPrefix = flat(time + high)
  }
}

/** Reading a character of a rope makes it one piece, once, instead of with each id that begins with it. */
function flat(text: string): string {
  text.charCodeAt(0)
  return text
}

/** What a UUID says of itself. */
export interface UuidParts {
  /** 0..15; those of RFC 9562 are 1..8. */
  readonly version: number
  readonly variant: 'ncs' | 'rfc9562' | 'microsoft' | 'reserved'
  /** Milliseconds since 1970, of version 7. */
  readonly timeMs?: number
}

const uuidPattern = /^[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}$/i

/** Of the text form, in whatever case; any version. */
export function isUuid(text: string): boolean {
  return typeof text === 'string' && uuidPattern.test(text)
}

/** Throws `invalid-argument` for what is no UUID. */
export function parseUuid(text: string): UuidParts {
  if (!isUuid(text)) throw invalidArgument('uuid', text, '8-4-4-4-12 hexadecimal digits')
  const version = Number.parseInt(text.charAt(14), 16)
  const bits = Number.parseInt(text.charAt(19), 16)
  const variant = bits < 8 ? 'ncs' : bits < 12 ? 'rfc9562' : bits < 14 ? 'microsoft' : 'reserved'
  if (version !== 7 || variant !== 'rfc9562') return { version, variant }
  return { version, variant, timeMs: Number.parseInt(text.slice(0, 8) + text.slice(9, 13), 16) }
}

const ulidPattern = /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/i

export function isUlid(text: string): boolean {
  return typeof text === 'string' && ulidPattern.test(text)
}

/** Milliseconds since 1970. Throws `invalid-argument` for what is no ULID. */
export function ulidTimeMs(text: string): number {
  if (!isUlid(text)) throw invalidArgument('ulid', text, "26 characters of Crockford's base 32")
  let time = 0
  for (const character of text.slice(0, 10).toUpperCase()) time = time * 32 + crockford.indexOf(character)
  return time
}
