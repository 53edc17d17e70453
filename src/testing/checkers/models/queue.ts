import type { Operation } from '../../history/operation.ts'
import { canonicalNull, type CanonicalValue, canonicalValue, hashText, mixHash } from '../canonical-value.ts'
import { partitionByKey, type SequentialModel } from '../sequential-model.ts'
import { malformedOperation, unknownOperation } from './decoding.ts'

/** First in, first out. */
export type QueueState = readonly CanonicalValue[]

export type QueueOp =
  | { readonly type: 'enqueue'; readonly value: CanonicalValue }
  /** `value` is `null` for "the queue is empty", and undefined when the result is not known. */
  | { readonly type: 'dequeue'; readonly value: CanonicalValue | undefined }

const name = 'queue'
const operations = ['enqueue', 'dequeue']

/** One queue for each key, empty at first: `enqueue` appends its argument (not `null`), `dequeue` takes and returns the oldest, or `null` when there is none. */
export function queueModel(): SequentialModel<QueueState, QueueOp> {
  return {
    name,
    operations,
    initial: [],
    decode,
    step(state, op) {
      if (op.type === 'enqueue') return [...state, op.value]
      if (op.value === canonicalNull) return state.length === 0 ? state : undefined
      if (state.length === 0) return undefined
      return op.value === undefined || op.value === state[0] ? state.slice(1) : undefined
    },
    hash: (state) => state.reduce((hash, value) => mixHash(hash, hashText(value)), 0),
    equal: (a, b) => a.length === b.length && a.every((value, i) => value === b[i]),
    isObservation: (op) => op.type === 'dequeue' && op.value === canonicalNull,
    partition: partitionByKey,
    unobserved: (part) => unobserved(part.map(({ op }) => op)),
    describeState: (state) => `[${state.join(', ')}]`,
  }
}

function decode(operation: Operation): QueueOp {
  const { op, input, output, outcome } = operation
  if (op === 'dequeue') return { type: op, value: outcome === 'ok' ? canonicalValue(output) : undefined }
  if (op !== 'enqueue') throw unknownOperation(name, operation, operations)
  if (input === undefined || input === null) {
    throw malformedOperation(name, operation, 'the call must have a value other than null')
  }
  return { type: op, value: canonicalValue(input) }
}

/**
 * Unobserved is the enqueueing of a value that no dequeue returned. It can only have been taken by a dequeue of unknown outcome, and then both can be left out; or it is
 * still there, with nothing behind it ever taken. Neither changes what the others saw.
 */
function unobserved(part: readonly QueueOp[]): (op: QueueOp) => boolean {
  const seen = new Set<CanonicalValue>()
  for (const op of part) if (op.type === 'dequeue' && op.value !== undefined) seen.add(op.value)
  return (op) => op.type === 'enqueue' && !seen.has(op.value)
}
