import type { Operation } from '../../history/operation.ts'
import type { JsonValue } from '../../../base/json-value.ts'
import { canonicalNull, type CanonicalValue, canonicalValue } from '../canonical-value.ts'
import { booleanResult, malformedOperation, memberOf, shown } from './decoding.ts'

/** What is done to one value, which is `null` while it does not exist: the alphabet of registers and of key-value stores. */
export type CellOp =
  /** `value` is undefined when the result is not known. */
  | { readonly type: 'read'; readonly value: CanonicalValue | undefined }
  | { readonly type: 'write'; readonly value: CanonicalValue }
  /** `existed` is undefined when the result does not tell. */
  | { readonly type: 'delete'; readonly existed: boolean | undefined }
  /** `swapped` is undefined when the result is not known. */
  | {
      readonly type: 'cas'
      readonly expected: CanonicalValue
      readonly value: CanonicalValue
      readonly swapped: boolean | undefined
    }

export type CellVerb = CellOp['type']

export function decodeCellOp(model: string, verb: CellVerb, operation: Operation): CellOp {
  if (verb === 'read') {
    return { type: verb, value: operation.outcome === 'ok' ? canonicalValue(operation.output) : undefined }
  }
  if (verb === 'write') return { type: verb, value: canonicalValue(argument(model, operation)) }
  if (verb === 'delete') {
    return { type: verb, existed: typeof operation.output === 'boolean' ? operation.output : undefined }
  }
  const [expected, value] = compareAndSet(model, operation)
  return {
    type: verb,
    expected: canonicalValue(expected),
    value: canonicalValue(value),
    swapped: booleanResult(model, operation),
  }
}

/** The value after `op`; `undefined` when `op` cannot have had its result. */
export function stepCell(state: CanonicalValue, op: CellOp): CanonicalValue | undefined {
  switch (op.type) {
    case 'read':
      return op.value === undefined || op.value === state ? state : undefined
    case 'write':
      return op.value
    case 'delete':
      return op.existed !== undefined && op.existed !== (state !== canonicalNull) ? undefined : canonicalNull
    case 'cas': {
      const matches = op.expected === state
      if (op.swapped === false) return matches ? undefined : state
      return matches ? op.value : undefined
    }
  }
}

export function isCellObservation(op: CellOp): boolean {
  return (
    op.type === 'read' ||
    (op.type === 'cas' && op.swapped === false) ||
    (op.type === 'delete' && op.existed === false)
  )
}

/**
 * Unobserved is a change whose value nothing shows: no read returned it, no successful compare-and-set expected it. Right, because between it
 * and the next change no operation can stand that tells the value, so without it every result stays as it is. Two results
 * tell that a value is there without naming it, a compare-and-set that found another value and a delete that says whether there
 * was one; where one is in the part, no change is called unobserved.
 */
export function unobservedCellChange(ops: readonly CellOp[]): (op: CellOp) => boolean {
  const seen = new Set<CanonicalValue>()
  for (const op of ops) {
    if (op.type === 'read' && op.value !== undefined) seen.add(op.value)
    if (op.type === 'cas' && op.swapped !== false) seen.add(op.expected)
    if ((op.type === 'cas' && op.swapped === false) || (op.type === 'delete' && op.existed !== undefined)) {
      return () => false
    }
  }
  return (op) => {
    if (op.type === 'write' || op.type === 'cas') return !seen.has(op.value)
    return op.type === 'delete' && !seen.has(canonicalNull)
  }
}

function argument(model: string, operation: Operation): JsonValue {
  if (operation.input !== undefined) return operation.input
  throw malformedOperation(model, operation, 'the call has no value')
}

/** `[expected, new]` or `{ "expected": …, "value": … }`. */
function compareAndSet(model: string, operation: Operation): readonly [JsonValue, JsonValue] {
  const { input } = operation
  if (Array.isArray(input) && input.length === 2) return [input[0] as JsonValue, input[1] as JsonValue]
  const [expected, value] = [memberOf(input, 'expected'), memberOf(input, 'value')]
  if (expected !== undefined && value !== undefined) return [expected, value]
  const allowed = '[expected, new] or {"expected": …, "value": …}'
  throw malformedOperation(
    model,
    operation,
    `the value of the call is ${shown(input)}, but must be ${allowed}`,
  )
}
