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
/** Odd, so that each step is a bijection of the lane: two inputs that differ in one word always differ in both lanes. */
const highFactor = 0x85ebca6b
const lowFactor = 0x27d4eb2f

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

/** The innermost work of every write: the lanes are local variables here, which stay in registers. */
function hashVersion({ key, value, createRevision, modRevision, version, lease }: KeyValue): void {
  let high = versionSeed
  let low = ~versionSeed
  for (let i = 0; i < key.length; i++) {
    const word = key.charCodeAt(i)
    high = Math.imul(rotate5(high) ^ word, highFactor)
    low = Math.imul(rotate13(low) ^ word, lowFactor)
  }
  const bytes = value.byteLength
  const whole = bytes & ~3
  let i = 0
  for (; i < whole; i += 4) {
    const word =
      (value[i] as number) |
      ((value[i + 1] as number) << 8) |
      ((value[i + 2] as number) << 16) |
      ((value[i + 3] as number) << 24)
    high = Math.imul(rotate5(high) ^ word, highFactor)
    low = Math.imul(rotate13(low) ^ word, lowFactor)
  }
  highLane = high
  lowLane = low
  for (; i < bytes; i++) mix(value[i] as number)
  mix(key.length)
  mix(bytes)
  mixNumber(createRevision)
  mixNumber(modRevision)
  mixNumber(version)
  mixNumber(lease)
  finish()
}

function begin(seed: number): void {
  highLane = seed
  lowLane = ~seed
}

function mix(word: number): void {
  highLane = Math.imul(rotate5(highLane) ^ word, highFactor)
  lowLane = Math.imul(rotate13(lowLane) ^ word, lowFactor)
}

function rotate5(lane: number): number {
  return (lane << 5) | (lane >>> 27)
}

function rotate13(lane: number): number {
  return (lane << 13) | (lane >>> 19)
}

/** A number from 0 to 2^53-1, as two words. */
function mixNumber(value: number): void {
  mix(value | 0)
  mix((value / 0x1_0000_0000) | 0)
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
