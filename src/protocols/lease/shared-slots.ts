import { assert } from '../../base/assert.ts'

/**
 * The memory shared between the application's loop and the thread that renews its leases: Float64 numbers of monotonic
 * milliseconds, read and written as whole 64-bit words (a plain Float64Array may tear between threads).
 *
 * | slot | written by | meaning |
 * | --- | --- | --- |
 * | 0 | application | its event loop was alive at this time |
 * | 1 | renewing thread | its own loop was alive at this time |
 * | 2, 3 | renewing thread | length and end of its own last stall: when both loops stood still, the whole process did |
 * | 4.. | application at the grant, then the thread | when the last acknowledged renewal of the lease of this slot was sent |
 */
export class SharedSlots {
  readonly buffer: SharedArrayBuffer
  readonly #words: BigInt64Array

  static allocate(leases: number): SharedSlots {
    return new SharedSlots(new SharedArrayBuffer((firstLeaseSlot + leases) * 8))
  }

  constructor(buffer: SharedArrayBuffer) {
    assert(buffer.byteLength >= firstLeaseSlot * 8, 'the shared memory is too small', {
      bytes: buffer.byteLength,
    })
    this.buffer = buffer
    this.#words = new BigInt64Array(buffer)
  }

  get applicationAliveMs(): number {
    return this.#read(0)
  }

  set applicationAliveMs(nowMs: number) {
    this.#write(0, nowMs)
  }

  get threadAliveMs(): number {
    return this.#read(1)
  }

  set threadAliveMs(nowMs: number) {
    this.#write(1, nowMs)
  }

  get threadStall(): { readonly lengthMs: number; readonly endMs: number } {
    return { lengthMs: this.#read(2), endMs: this.#read(3) }
  }

  set threadStall(stall: { readonly lengthMs: number; readonly endMs: number }) {
    this.#write(2, stall.lengthMs)
    this.#write(3, stall.endMs)
  }

  sentMs(slot: number): number {
    return this.#read(slot)
  }

  setSentMs(slot: number, sentMs: number): void {
    assert(slot >= firstLeaseSlot, 'this slot is not for leases', { slot })
    this.#write(slot, sentMs)
  }

  #read(slot: number): number {
    return numberOfBits(Atomics.load(this.#words, slot))
  }

  #write(slot: number, value: number): void {
    Atomics.store(this.#words, slot, bitsOfNumber(value))
  }
}

export const firstLeaseSlot = 4

/** The same eight bytes as a number and as bits: read at each look at a right. */
const numbers = new Float64Array(1)
const bits = new BigInt64Array(numbers.buffer)

function bitsOfNumber(value: number): bigint {
  numbers[0] = value
  return bits[0] as bigint
}

function numberOfBits(value: bigint): number {
  bits[0] = value
  return numbers[0] as number
}
