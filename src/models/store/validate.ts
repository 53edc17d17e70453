import type { ByteString } from '../../base/bytes.ts'
import { AlthingError, invalidArgument } from '../../contracts/errors.ts'
import type { Compare, KeyRange, Operation, RangeRequest } from '../../contracts/store.ts'
import { storeLimits } from '../../contracts/store.ts'
import { rangeEnd } from './key-space.ts'
import type { StoreMutation } from './types.ts'

const notByteString = /[^\u0000-\u00ff]/
const compareOps: readonly unknown[] = ['=', '!=', '<', '>']
const compareTargets: readonly unknown[] = ['value', 'version', 'createRevision', 'modRevision', 'lease']

/**
 * Checks a mutation that comes from outside against its types and the limits of the store. Throws `invalid-argument` or `too-large`, naming the field
 * (`then[2].key`), with `outcome` `none`. Engines call it before they propose; the model calls it again, so that every replica refuses alike.
 */
export function validateMutation(mutation: StoreMutation): void {
  switch (mutation.type) {
    case 'txn':
      return validateTxn(mutation)
    case 'grantLease':
      return validateTtl(mutation.ttlMs)
    case 'revokeLease':
      return validateLease(mutation.lease)
    case 'compact':
      return validateInteger('revision', mutation.revision, 1)
    case 'closeSession':
      return
    default:
      throw invalidArgument('type', (mutation as { type: unknown }).type, 'a mutation of the store')
  }
}

/** Checks a read that comes from outside. Throws `invalid-argument` or `too-large`. */
export function validateRange(request: RangeRequest, field = 'range'): void {
  validateKeyRange(request, field)
  if (request.limit !== undefined) validateInteger(`${field}.limit`, request.limit, 0)
  if (request.revision !== undefined) validateInteger(`${field}.revision`, request.revision, 1)
  if (request.order !== undefined && request.order !== 'ascending' && request.order !== 'descending') {
    throw invalidArgument(`${field}.order`, request.order, `'ascending' or 'descending'`)
  }
}

/** Checks the id of a lease. Throws `invalid-argument`. */
export function validateLease(lease: number): void {
  validateInteger('lease', lease, 1)
}

/** Checks the leases of one call for renewal. Throws `invalid-argument` or `too-large`. */
export function validateRenewals(leases: readonly number[]): void {
  if (!Array.isArray(leases)) throw invalidArgument('leases', leases, 'an array')
  const { renewalsMax } = storeLimits
  if (leases.length > renewalsMax) {
    throw new AlthingError(
      'too-large',
      `leases has ${leases.length} entries, but at most ${renewalsMax} are allowed`,
      {
        outcome: 'none',
        details: { field: 'leases', limit: renewalsMax },
      },
    )
  }
  for (const [i, lease] of leases.entries()) validateInteger(`leases[${i}]`, lease, 1)
}

/** Checks `key` and `end`. Throws `invalid-argument` or `too-large`. */
export function validateKeyRange(range: KeyRange, field = 'range'): void {
  validateBytes(`${field}.key`, range.key)
  if (range.end !== undefined && range.end !== null) validateBytes(`${field}.end`, range.end)
}

function validateTxn(txn: Extract<StoreMutation, { type: 'txn' }>): void {
  validateCount('compare', txn.compare)
  validateCount('then', txn.then)
  validateCount('else', txn.else)
  let bytes = 0
  for (let i = 0; i < txn.compare.length; i++)
    bytes += validateCompare(txn.compare[i] as Compare, `compare[${i}]`)
  bytes += validateBranch(txn.then, 'then') + validateBranch(txn.else, 'else')
  if (bytes > storeLimits.txnBytesMax) throw tooLarge('the transaction', bytes, storeLimits.txnBytesMax)
}

function validateCount(field: string, list: readonly unknown[]): void {
  if (!Array.isArray(list)) throw invalidArgument(field, list, 'an array')
  if (list.length <= storeLimits.txnOperationsMax) return
  throw new AlthingError(
    'too-large',
    `${field} has ${list.length} entries, but at most ${storeLimits.txnOperationsMax} are allowed`,
    { outcome: 'none', details: { field, limit: storeLimits.txnOperationsMax } },
  )
}

/** Returns the bytes that count against the limit of a transaction. */
function validateCompare(compare: Compare, field: string): number {
  validateObject(compare, field)
  validateBytes(`${field}.key`, compare.key)
  if (!compareOps.includes(compare.op))
    throw invalidArgument(`${field}.op`, compare.op, `'=', '!=', '<' or '>'`)
  if (!compareTargets.includes(compare.target)) {
    throw invalidArgument(`${field}.target`, compare.target, `one of ${compareTargets.join(', ')}`)
  }
  if (compare.target !== 'value') {
    validateInteger(`${field}.value`, compare.value, 0)
    return compare.key.length
  }
  validateValue(`${field}.value`, compare.value)
  return compare.key.length + compare.value.byteLength
}

function validateBranch(operations: readonly Operation[], branch: string): number {
  let bytes = 0
  let writes = 0
  for (let i = 0; i < operations.length; i++) {
    const operation = operations[i] as Operation
    bytes += validateOperation(operation, `${branch}[${i}]`)
    if (operation.op !== 'range') writes++
  }
  if (writes > 1) validateWrittenOnce(operations, branch)
  return bytes
}

function validateOperation(operation: Operation, field: string): number {
  validateObject(operation, field)
  switch (operation.op) {
    case 'range':
      validateRange(operation, field)
      return operation.key.length + (operation.end?.length ?? 0)
    case 'put':
      validateBytes(`${field}.key`, operation.key)
      if (operation.key.length === 0)
        throw invalidArgument(`${field}.key`, operation.key, 'at least one byte')
      validateValue(`${field}.value`, operation.value)
      if (operation.lease !== undefined && operation.lease !== 'keep') {
        validateInteger(`${field}.lease`, operation.lease, 0)
      }
      return operation.key.length + operation.value.byteLength
    case 'delete':
      validateKeyRange(operation, field)
      return operation.key.length + (operation.end?.length ?? 0)
    default:
      throw invalidArgument(`${field}.op`, (operation as { op: unknown }).op, `'range', 'put' or 'delete'`)
  }
}

interface Written {
  readonly from: ByteString
  readonly end: ByteString | null
  readonly index: number
}

/** The ranges written by the operations of a branch must not overlap, whatever keys there are: the answer must not depend on the state. */
function validateWrittenOnce(operations: readonly Operation[], branch: string): void {
  const written: Written[] = []
  for (const [index, operation] of operations.entries()) {
    if (operation.op === 'range') continue
    const end = operation.op === 'put' ? `${operation.key}\u0000` : rangeEnd(operation)
    if (end === null || end > operation.key) written.push({ from: operation.key, end, index })
  }
  written.sort((a, b) => (a.from < b.from ? -1 : a.from > b.from ? 1 : a.index - b.index))
  for (let i = 1; i < written.length; i++) {
    const before = written[i - 1] as Written
    const after = written[i] as Written
    if (before.end !== null && before.end <= after.from) continue
    const field = `${branch}[${Math.max(before.index, after.index)}].key`
    const other = `${branch}[${Math.min(before.index, after.index)}]`
    throw invalidArgument(field, after.from, `a key that ${other} does not write too`)
  }
}

function validateTtl(ttlMs: number): void {
  const { leaseTtlMsMin, leaseTtlMsMax } = storeLimits
  if (Number.isSafeInteger(ttlMs) && ttlMs >= leaseTtlMsMin && ttlMs <= leaseTtlMsMax) return
  throw invalidArgument('ttlMs', ttlMs, `an integer from ${leaseTtlMsMin} to ${leaseTtlMsMax}`)
}

function validateObject(value: unknown, field: string): void {
  if (typeof value !== 'object' || value === null) throw invalidArgument(field, value, 'an object')
}

function validateInteger(field: string, value: number, min: number): void {
  if (Number.isSafeInteger(value) && value >= min) return
  throw invalidArgument(field, value, `an integer from ${min} to ${Number.MAX_SAFE_INTEGER}`)
}

function validateBytes(field: string, bytes: ByteString): void {
  if (typeof bytes !== 'string') throw invalidArgument(field, bytes, 'a byte string')
  if (bytes.length > storeLimits.keyBytesMax) throw tooLarge(field, bytes.length, storeLimits.keyBytesMax)
  if (notByteString.test(bytes)) throw invalidArgument(field, bytes, 'a byte string (characters 0 to 255)')
}

function validateValue(field: string, value: Uint8Array): void {
  if (!(value instanceof Uint8Array)) throw invalidArgument(field, value, 'a Uint8Array')
  if (value.byteLength > storeLimits.valueBytesMax) {
    throw tooLarge(field, value.byteLength, storeLimits.valueBytesMax)
  }
}

function tooLarge(field: string, bytes: number, limit: number): AlthingError {
  return new AlthingError('too-large', `${field} has ${bytes} bytes, but at most ${limit} are allowed`, {
    outcome: 'none',
    details: { field, limit },
  })
}
