import { AlthingError } from '../../../contracts/errors.ts'
import type { JsonValue } from '../../../base/json-value.ts'
import type { Operation } from '../../history/operation.ts'

/** `invalid-argument` for an operation that the model does not know, or whose argument or result has not the right form. */
export function malformedOperation(model: string, operation: Operation, problem: string): AlthingError {
  const where = `${operation.op} of process ${operation.process} at time ${operation.calledAt}`
  return new AlthingError('invalid-argument', `model ${model}: ${where}: ${problem}`, {
    details: { index: operation.index },
  })
}

export function unknownOperation(
  model: string,
  operation: Operation,
  known: readonly string[],
): AlthingError {
  return malformedOperation(model, operation, `the model knows only ${known.join(', ')}`)
}

/** The member of a JSON object; `undefined` when `value` is no object or has no such member. */
export function memberOf(value: JsonValue | undefined, name: string): JsonValue | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  const object = value as { readonly [name: string]: JsonValue }
  return Object.hasOwn(object, name) ? object[name] : undefined
}

/** The result of an operation that says whether it did what was asked; `undefined` when it is not known. */
export function booleanResult(model: string, operation: Operation): boolean | undefined {
  if (operation.outcome !== 'ok') return undefined
  if (typeof operation.output === 'boolean') return operation.output
  throw malformedOperation(
    model,
    operation,
    `the result is ${shown(operation.output)}, but must be true or false`,
  )
}

export function shown(value: JsonValue | undefined): string {
  const text = value === undefined ? 'absent' : JSON.stringify(value)
  return text.length > 80 ? `${text.slice(0, 77)}...` : text
}
