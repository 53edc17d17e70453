import type { JsonValue } from '../../../base/json-value.ts'
import { type CanonicalValue, canonicalValue, hashText } from '../canonical-value.ts'
import { partitionByKey, type SequentialModel } from '../sequential-model.ts'
import {
  type CellOp,
  type CellVerb,
  decodeCellOp,
  isCellObservation,
  stepCell,
  unobservedCellChange,
} from './cell.ts'
import { unknownOperation } from './decoding.ts'

export type RegisterModel = SequentialModel<CanonicalValue, CellOp>

/** One register for each key, `null` (or `initial`) at first: `read` returns its value, `write` sets it. */
export function registerModel(initial: JsonValue = null): RegisterModel {
  return createRegisterModel('register', ['read', 'write'], initial)
}

/** {@link registerModel} with `cas`: argument `[expected, new]`, result whether it was set. */
export function casRegisterModel(initial: JsonValue = null): RegisterModel {
  return createRegisterModel('cas-register', ['read', 'write', 'cas'], initial)
}

function createRegisterModel(name: string, verbs: readonly CellVerb[], initial: JsonValue): RegisterModel {
  return {
    name,
    operations: verbs,
    initial: canonicalValue(initial),
    decode(operation) {
      const verb = verbs.find((known) => known === operation.op)
      if (verb === undefined) throw unknownOperation(name, operation, verbs)
      return decodeCellOp(name, verb, operation)
    },
    step: stepCell,
    hash: hashText,
    equal: (a, b) => a === b,
    isObservation: isCellObservation,
    partition: partitionByKey,
    unobserved: (part) => unobservedCellChange(part.map(({ op }) => op)),
    describeState: (state) => state,
  }
}
