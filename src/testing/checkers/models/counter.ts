import { mixHash } from '../canonical-value.ts'
import { partitionByKey, type SequentialModel } from '../sequential-model.ts'
import { malformedOperation, shown, unknownOperation } from './decoding.ts'

export type CounterOp =
  | { readonly type: 'read'; readonly value: number | undefined }
  /** `value` is the sum after the addition; undefined when the result does not tell. */
  | { readonly type: 'add'; readonly amount: number; readonly value: number | undefined }

const name = 'counter'
const operations = ['read', 'add']

/** One sum for each key, 0 at first: `add` adds its argument (1 without one; integers) and may return the new sum, `read` returns it. */
export function counterModel(): SequentialModel<number, CounterOp> {
  return {
    name,
    operations,
    initial: 0,
    decode(operation) {
      const { op, input = 1, output, outcome } = operation
      if (op !== 'read' && op !== 'add') throw unknownOperation(name, operation, operations)
      const value = outcome === 'ok' && typeof output === 'number' ? output : undefined
      if (op === 'add') {
        if (typeof input === 'number' && Number.isSafeInteger(input))
          return { type: op, amount: input, value }
        throw malformedOperation(name, operation, `the amount is ${shown(input)}, but must be an integer`)
      }
      if (outcome === 'ok' && value === undefined) {
        throw malformedOperation(name, operation, `the result is ${shown(output)}, but must be a number`)
      }
      return { type: op, value }
    },
    step(state, op) {
      const after = op.type === 'add' ? state + op.amount : state
      return op.value === undefined || op.value === after ? after : undefined
    },
    hash: (state) => mixHash(state | 0, 0x2545f491),
    equal: (a, b) => a === b,
    isObservation: (op) => op.type === 'read' || op.amount === 0,
    partition: partitionByKey,
    describeState: String,
  }
}
