import { AlthingError, invalidArgument } from '../../contracts/errors.ts'
import { type Compare, type Operation, storeLimits } from '../../contracts/store.ts'
import type { StoreCommand } from '../../models/store/types.ts'

/** The sizes of a request that an operator may set tighter than `storeLimits` has them. */
export interface RequestLimits {
  readonly keyBytesMax: number
  readonly valueBytesMax: number
  readonly txnOperationsMax: number
  readonly txnBytesMax: number
}

/** `undefined` when nothing is tighter than the model's own limits. Throws `invalid-argument` for a limit that is no integer from 1 to the model's. */
export function requestLimits(given: Partial<RequestLimits>): RequestLimits | undefined {
  const { keyBytesMax, valueBytesMax, txnOperationsMax, txnBytesMax } = { ...storeLimits, ...given }
  const limits = { keyBytesMax, valueBytesMax, txnOperationsMax, txnBytesMax }
  let isTighter = false
  for (const name of Object.keys(limits) as (keyof RequestLimits)[]) {
    const max = storeLimits[name]
    if (!(Number.isSafeInteger(limits[name]) && limits[name] >= 1 && limits[name] <= max))
      throw invalidArgument(name, limits[name], `an integer from 1 to ${max}`)
    isTighter ||= limits[name] < max
  }
  return isTighter ? limits : undefined
}

/** `too-large` for a transaction over one of the limits, naming the field. It is well formed otherwise. */
export function checkRequest(
  txn: Pick<Extract<StoreCommand, { type: 'txn' }>, 'compare' | 'then' | 'else'>,
  limits: RequestLimits,
): AlthingError | undefined {
  const lists = { compare: txn.compare, then: txn.then, else: txn.else } as const
  let bytes = 0
  for (const [name, list] of Object.entries(lists)) {
    if (list.length > limits.txnOperationsMax) {
      return tooLarge(name, `${list.length} entries`, limits.txnOperationsMax)
    }
    for (const [i, part] of list.entries()) {
      const { key, value } = sizesOf(part)
      if (key > limits.keyBytesMax) return tooLarge(`${name}[${i}].key`, `${key} bytes`, limits.keyBytesMax)
      if (value > limits.valueBytesMax)
        return tooLarge(`${name}[${i}].value`, `${value} bytes`, limits.valueBytesMax)
      bytes += key + value
    }
  }
  return bytes > limits.txnBytesMax
    ? tooLarge('the transaction', `${bytes} bytes`, limits.txnBytesMax)
    : undefined
}

function sizesOf(part: Compare | Operation): { readonly key: number; readonly value: number } {
  const value = 'value' in part && typeof part.value !== 'number' ? part.value.byteLength : 0
  const end = 'end' in part ? (part.end?.length ?? 0) : 0
  return { key: Math.max(part.key.length, end), value }
}

function tooLarge(field: string, has: string, limit: number): AlthingError {
  return new AlthingError('too-large', `${field} has ${has}, but at most ${limit} are allowed here`, {
    outcome: 'none',
    details: { field, limit },
  })
}
