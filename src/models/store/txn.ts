import { compareBytes } from '../../base/bytes.ts'
import { AlthingError } from '../../contracts/errors.ts'
import type { Compare, CompareOp, KeyValue, Operation, OperationReply } from '../../contracts/store.ts'
import { storeLimits } from '../../contracts/store.ts'
import { type KeySpace, keyValueBytes, type ReplyBudget } from './key-space.ts'
import type { LeaseTable } from './leases.ts'
import type { StoreMutation } from './types.ts'

export type TxnMutation = Extract<StoreMutation, { type: 'txn' }>

/** Neither branch writes: the reply needs no place in the log. */
export function isReadOnly(txn: TxnMutation): boolean {
  return txn.then.every(isRange) && txn.else.every(isRange)
}

function isRange(operation: Operation): boolean {
  return operation.op === 'range'
}

/** Whether all comparisons hold. */
export function evaluateCompares(keys: KeySpace, compares: readonly Compare[]): boolean {
  return compares.every((compare) => evaluateCompare(keys.get(compare.key), compare))
}

/**
 * Throws the error for which the branch cannot be applied as a whole (`lease-not-found`, `compacted`, `future-revision`, `too-large`). After it,
 * {@link applyBranch} cannot fail. Returns the bytes that ranges may add to the reply beside the previous versions asked for.
 */
export function checkBranch(
  keys: KeySpace,
  leases: LeaseTable,
  operations: readonly Operation[],
): ReplyBudget {
  let bytes = storeLimits.rangeReplyBytesMax
  for (const operation of operations) {
    if (operation.op === 'range') {
      if (operation.revision !== undefined) keys.assertReadable(operation.revision)
      continue
    }
    if (operation.op === 'put') assertLease(leases, operation.lease)
    if (operation.previous === true) bytes -= previousBytes(keys, operation)
  }
  if (bytes < 0) throw previousTooLarge()
  return { bytes }
}

/** Changes the keys as the operations say, up to but without the commit. The values become the store's own. */
export function applyBranch(
  keys: KeySpace,
  leases: LeaseTable,
  operations: readonly Operation[],
  budget: ReplyBudget,
): OperationReply[] {
  return operations.map((operation) => applyOperation(keys, leases, operation, budget))
}

function applyOperation(
  keys: KeySpace,
  leases: LeaseTable,
  operation: Operation,
  budget: ReplyBudget,
): OperationReply {
  if (operation.op === 'put') return applyPut(keys, leases, operation)
  if (operation.op === 'delete') return applyDelete(keys, leases, operation)
  const { kvs, count, more } = keys.range(operation, budget)
  return { op: 'range', kvs, count, more }
}

function applyPut(
  keys: KeySpace,
  leases: LeaseTable,
  operation: Extract<Operation, { op: 'put' }>,
): OperationReply {
  const previous = keys.put(operation.key, operation.value, operation.lease ?? 0)
  if (operation.lease !== 'keep') leases.move(operation.key, previous?.lease ?? 0, operation.lease ?? 0)
  return operation.previous === true && previous !== undefined ? { op: 'put', previous } : { op: 'put' }
}

function applyDelete(
  keys: KeySpace,
  leases: LeaseTable,
  operation: Extract<Operation, { op: 'delete' }>,
): OperationReply {
  const found = keys.keysIn(operation)
  for (const kv of found) {
    keys.delete(kv.key)
    leases.move(kv.key, kv.lease, 0)
  }
  return operation.previous === true
    ? { op: 'delete', deleted: found.length, previous: found }
    : { op: 'delete', deleted: found.length }
}

function evaluateCompare(kv: KeyValue | undefined, compare: Compare): boolean {
  if (compare.target !== 'value') return holds(compare.op, (kv?.[compare.target] ?? 0) - compare.value)
  return kv !== undefined && holds(compare.op, compareBytes(kv.value, compare.value))
}

function holds(op: CompareOp, difference: number): boolean {
  switch (op) {
    case '=':
      return difference === 0
    case '!=':
      return difference !== 0
    case '<':
      return difference < 0
    case '>':
      return difference > 0
  }
}

function assertLease(leases: LeaseTable, lease: number | 'keep' | undefined): void {
  if (lease === undefined || lease === 0 || lease === 'keep' || leases.has(lease)) return
  throw leaseNotFound(lease)
}

export function leaseNotFound(lease: number): AlthingError {
  return new AlthingError('lease-not-found', `lease ${lease} does not exist: it has expired or was revoked`, {
    outcome: 'none',
    details: { lease },
  })
}

function previousBytes(keys: KeySpace, operation: Extract<Operation, { op: 'put' | 'delete' }>): number {
  if (operation.op === 'delete') {
    return keys.keysIn(operation).reduce((bytes, kv) => bytes + keyValueBytes(kv), 0)
  }
  const kv = keys.get(operation.key)
  return kv === undefined ? 0 : keyValueBytes(kv)
}

function previousTooLarge(): AlthingError {
  const limit = storeLimits.rangeReplyBytesMax
  return new AlthingError(
    'too-large',
    `the previous versions asked for exceed ${limit} bytes: ask for fewer, or delete a smaller range`,
    { outcome: 'none', details: { limit } },
  )
}
