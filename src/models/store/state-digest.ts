import type { ByteString } from '../../base/bytes.ts'
import type { KeyValue, LeaseId } from '../../contracts/store.ts'

/**
 * A 64-bit digest of a set that changes, kept up to date: the sum of the hashes of its members (Bellare and Micciancio, 1997, "incremental hashing", with
 * a sum in place of their group), in two lanes of 32 bits that are hashed with different constants. The order in which members came and went does not show, so the digest
 * depends on the state alone. It finds accidents (a bug, a flipped bit), not forgeries: the hash is not cryptographic.
 */
export class StateDigest {
  #high = 0
  #low = 0

  addVersion(kv: KeyValue): void {
    hashVersion(kv)
    this.#high = (this.#high + highLane) | 0
    this.#low = (this.#low + lowLane) | 0
  }

  removeVersion(kv: KeyValue): void {
    hashVersion(kv)
    this.#high = (this.#high - highLane) | 0
    this.#low = (this.#low - lowLane) | 0
  }

  /** `sign`: 1 when the lease is granted, -1 when it ends. */
  countLease(lease: LeaseId, ttlMs: number, sign: 1 | -1): void {
    this.countNumbers(leaseSeed, [lease, ttlMs], sign)
  }

  countNumbers(seed: number, numbers: readonly number[], sign: 1 | -1 = 1): void {
    begin(seed)
    for (const value of numbers) mixNumber(value)
    finish()
    this.#high = (this.#high + sign * highLane) | 0
    this.#low = (this.#low + sign * lowLane) | 0
  }

  /** The digest as two numbers from 0 to 2^32-1, to go into the text of another. */
  get lanes(): readonly [high: number, low: number] {
    return [this.#high >>> 0, this.#low >>> 0]
  }

  /** 16 hexadecimal digits, of this digest and the numbers given. */
  text(numbers: readonly number[]): string {
    begin(textSeed)
    mix(this.#high)
    mix(this.#low)
    for (const value of numbers) mixNumber(value)
    finish()
    return hex(highLane) + hex(lowLane)
  }
}

const versionSeed = 0x2545f491
const leaseSeed = 0x6c62272e
const textSeed = 0x1b873593

// The two lanes of the hash being computed. A hash is computed in one go, so they are never shared; returning two numbers from the innermost function of
// every write would cost an allocation.
let highLane = 0
let lowLane = 0

/** Of a text of any characters: each is mixed as a word of its own. */
export function textDigest(text: string): number {
  begin(textSeed)
  for (let i = 0; i < text.length; i++) mix(text.charCodeAt(i))
  finish()
  return highLane
}

function hashVersion(kv: KeyValue): void {
  begin(versionSeed)
  mixText(kv.key)
  mixBytes(kv.value)
  mixNumber(kv.createRevision)
  mixNumber(kv.modRevision)
  mixNumber(kv.version)
  mixNumber(kv.lease)
  finish()
}

function begin(seed: number): void {
  highLane = seed
  lowLane = ~seed
}

function mix(word: number): void {
  highLane = Math.imul((highLane << 5) | (highLane >>> 27), 0x85ebca6b) ^ Math.imul(word, 0xcc9e2d51)
  lowLane = Math.imul((lowLane << 13) | (lowLane >>> 19), 0xc2b2ae35) ^ Math.imul(word, 0x27d4eb2f)
}

/** A number from 0 to 2^53-1, as two words. */
function mixNumber(value: number): void {
  mix(value | 0)
  mix((value / 0x1_0000_0000) | 0)
}

function mixText(text: ByteString): void {
  const whole = text.length & ~3
  let i = 0
  for (; i < whole; i += 4) {
    mix(
      text.charCodeAt(i) |
        (text.charCodeAt(i + 1) << 8) |
        (text.charCodeAt(i + 2) << 16) |
        (text.charCodeAt(i + 3) << 24),
    )
  }
  for (; i < text.length; i++) mix(text.charCodeAt(i))
  mix(text.length)
}

function mixBytes(bytes: Uint8Array): void {
  const { length } = bytes
  const whole = length & ~3
  // In variables of the function: a module's variable would be written to memory in every round.
  let high = highLane
  let low = lowLane
  let i = 0
  for (; i < whole; i += 4) {
    const word =
      (bytes[i] as number) |
      ((bytes[i + 1] as number) << 8) |
      ((bytes[i + 2] as number) << 16) |
      ((bytes[i + 3] as number) << 24)
    high = Math.imul((high << 5) | (high >>> 27), 0x85ebca6b) ^ Math.imul(word, 0xcc9e2d51)
    low = Math.imul((low << 13) | (low >>> 19), 0xc2b2ae35) ^ Math.imul(word, 0x27d4eb2f)
  }
  highLane = high
  lowLane = low
  for (; i < length; i++) mix(bytes[i] as number)
  mix(length)
}

/** Spreads every bit over both lanes (the finalizer of MurmurHash3). */
function finish(): void {
  highLane ^= lowLane
  highLane = avalanche(highLane)
  lowLane = avalanche(lowLane ^ highLane)
}

function avalanche(word: number): number {
  let mixed = word
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return mixed ^ (mixed >>> 16)
}

function hex(lane: number): string {
  return (lane >>> 0).toString(16).padStart(8, '0')
}
