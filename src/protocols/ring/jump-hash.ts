import { invalidArgument } from '../../contracts/errors.ts'

export const jumpBucketsMax = 2 ** 31 - 1

/** The multiplier of the paper's generator, 2862933555777941757, in two halves. */
const multiplierHigh = 0x27bb2ee6
const multiplierLow = 0x87b0b0fd

/**
 * Jump consistent hash (Lamping and Veach, 2014): the bucket, 0..`buckets`-1, of a key of 64 bits. No memory, O(log buckets), shares as even as chance allows. From n to n+1
 * buckets 1/(n+1) of the keys move, all to the new one. Buckets come and go only at the end: for numbered shards, not for members that may fail. Weights: give a member several buckets.
 *
 * `key`: a hash. A number is a whole one of 0..2^53-1; of a bigint the lowest 64 bits count.
 */
export function jumpHash(key: number | bigint, buckets: number): number {
  if (!Number.isInteger(buckets) || buckets < 1 || buckets > jumpBucketsMax)
    throw invalidArgument('buckets', buckets, `a whole number from 1 to ${jumpBucketsMax}`)
  if (typeof key === 'number' && !(Number.isSafeInteger(key) && key >= 0))
    throw invalidArgument('key', key, 'a bigint, or a whole number from 0 to 2^53 - 1')
  let high = typeof key === 'bigint' ? Number((key >> 32n) & 0xffffffffn) : Math.floor(key / 2 ** 32)
  let low = typeof key === 'bigint' ? Number(key & 0xffffffffn) : key % 2 ** 32
  let bucket = 0
  for (let next = 0; next < buckets; ) {
    bucket = next
    const carried = highOfProduct(low, multiplierLow)
    high = (carried + Math.imul(high, multiplierLow) + Math.imul(low, multiplierHigh)) >>> 0
    low = Math.imul(low, multiplierLow) >>> 0
    low = (low + 1) >>> 0
    if (low === 0) high = (high + 1) >>> 0
    next = Math.floor((bucket + 1) * (2 ** 31 / ((high >>> 1) + 1)))
  }
  return bucket
}

/** The upper 32 bits of the product of two numbers of 32 bits. */
function highOfProduct(a: number, b: number): number {
  const [aHigh, aLow] = [a >>> 16, a & 0xffff]
  const [bHigh, bLow] = [b >>> 16, b & 0xffff]
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16)
  const other = aLow * bHigh + (middle & 0xffff)
  return aHigh * bHigh + Math.floor(middle / 65_536) + Math.floor(other / 65_536)
}
