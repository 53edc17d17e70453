import { invalidArgument } from '../../contracts/errors.ts'

/** A whole number of 0 or more, as a bigint. */
export function counterAmount(field: string, amount: bigint | number): bigint {
  const isAmount = typeof amount === 'bigint' ? amount >= 0n : Number.isSafeInteger(amount) && amount >= 0
  if (isAmount) return BigInt(amount)
  throw invalidArgument(field, amount, 'a bigint, or a safe integer, of 0 or more')
}
