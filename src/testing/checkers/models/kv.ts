import type { JsonValue } from '../../../base/json-value.ts'
import type { Operation } from '../../history/operation.ts'
import { canonicalNull, type CanonicalValue, canonicalValue, hashText, mixHash } from '../canonical-value.ts'
import type { SequentialModel } from '../sequential-model.ts'
import {
  type CellOp,
  type CellVerb,
  decodeCellOp,
  isCellObservation,
  stepCell,
  unobservedCellChange,
} from './cell.ts'
import { malformedOperation, shown, unknownOperation } from './decoding.ts'

/** Keys without a value are not in the map. */
export type KvState = ReadonlyMap<string, CanonicalValue>

/** One step for a plain operation, any number for a transaction: all at one moment. */
export type KvOp = readonly { readonly key: string; readonly cell: CellOp }[]

const verbs: Readonly<Record<string, CellVerb>> = {
  get: 'read',
  read: 'read',
  put: 'write',
  write: 'write',
  delete: 'delete',
  cas: 'cas',
}
const name = 'kv'
const operations = [...Object.keys(verbs), 'txn']

/**
 * A map of keys: `get` returns the value or `null`, `put` sets it, `delete` removes it (and may return whether it was there), `cas` takes
 * `[expected, new]` and returns whether it was set, `txn` takes a list of `["get", key]`, `["put", key, value]` and `["delete", key]` and returns a
 * list of as many results (`null` for a change). Keys that no transaction joins are judged apart.
 */
export function kvModel(): SequentialModel<KvState, KvOp> {
  return {
    name,
    operations,
    initial: new Map(),
    decode,
    step,
    hash(state) {
      let hash = 0
      for (const [key, value] of state) hash ^= mixHash(hashText(key), hashText(value))
      return hash
    },
    equal(a, b) {
      if (a === b) return true
      if (a.size !== b.size) return false
      for (const [key, value] of a) if (b.get(key) !== value) return false
      return true
    },
    isObservation: (op) => op.every(({ cell }) => isCellObservation(cell)),
    partition: partitionByJoinedKeys,
    unobserved: (part) => unobserved(part.map(({ op }) => op)),
    describeState: (state) => `{${[...state].map(([key, value]) => `${key}: ${value}`).join(', ')}}`,
  }
}

function decode(operation: Operation): KvOp {
  if (operation.op === 'txn') return decodeTxn(operation)
  const verb = Object.hasOwn(verbs, operation.op) ? verbs[operation.op] : undefined
  if (verb === undefined) throw unknownOperation(name, operation, operations)
  return [{ key: operation.key ?? '', cell: decodeCellOp(name, verb, operation) }]
}

function decodeTxn(operation: Operation): KvOp {
  const { input, output, outcome } = operation
  const steps = txnSteps(operation)
  if (outcome === 'ok' && !(Array.isArray(output) && output.length === steps.length)) {
    const given = `the result is ${shown(output)}, but must be a list of ${steps.length} results`
    throw malformedOperation(name, operation, given)
  }
  return steps.map(([verb, key, value], i) => {
    if (verb === 'put' && value !== undefined)
      return { key, cell: { type: 'write', value: canonicalValue(value) } }
    if (verb === 'delete') return { key, cell: { type: 'delete', existed: undefined } }
    const seen = outcome === 'ok' ? canonicalValue((output as readonly JsonValue[])[i]) : undefined
    if (verb === 'get') return { key, cell: { type: 'read', value: seen } }
    throw malformedOperation(name, operation, `step ${i + 1} of ${shown(input)} is not a get, put or delete`)
  })
}

function txnSteps(operation: Operation): readonly (readonly [JsonValue, string, JsonValue | undefined])[] {
  const { input } = operation
  if (!Array.isArray(input)) {
    throw malformedOperation(
      name,
      operation,
      `the value of the call is ${shown(input)}, but must be a list of steps`,
    )
  }
  return input.map((step: JsonValue) => {
    if (Array.isArray(step) && typeof step[1] === 'string') {
      return [step[0] as JsonValue, step[1], step[2] as JsonValue | undefined] as const
    }
    throw malformedOperation(name, operation, `${shown(step)} is not a step like ["get", key]`)
  })
}

function step(state: KvState, op: KvOp): KvState | undefined {
  let after: Map<string, CanonicalValue> | undefined
  for (const { key, cell } of op) {
    const before = (after ?? state).get(key) ?? canonicalNull
    const value = stepCell(before, cell)
    if (value === undefined) return undefined
    if (value === before) continue
    after ??= new Map(state)
    if (value === canonicalNull) after.delete(key)
    else after.set(key, value)
  }
  return after ?? state
}

/** As for a single cell; a part with transactions has none, for a change in one of them cannot be left out alone. */
function unobserved(part: readonly KvOp[]): (op: KvOp) => boolean {
  const cells: CellOp[] = []
  for (const op of part) {
    const [first] = op
    if (op.length !== 1 || first === undefined) return () => false
    cells.push(first.cell)
  }
  const isUnobserved = unobservedCellChange(cells)
  return (op) => op.every(({ cell }) => isUnobserved(cell))
}

/** Parts are the sets of keys that transactions connect (union-find); a part is named by its keys. */
function partitionByJoinedKeys(history: readonly Operation[]): Map<string, Operation[]> {
  const parents = new Map<string, string>()
  const root = (key: string): string => {
    let at = key
    for (let parent = parents.get(at); parent !== undefined && parent !== at; parent = parents.get(at))
      at = parent
    parents.set(key, at)
    return at
  }
  const firstKeys = history.map((operation) => {
    const keys = keysOf(operation)
    const [first = ''] = keys
    for (const key of keys) parents.set(root(key), root(first))
    return first
  })
  const parts = new Map<string, Operation[]>()
  history.forEach((operation, i) => {
    const part = root(firstKeys[i] ?? '')
    const members = parts.get(part)
    if (members === undefined) parts.set(part, [operation])
    else members.push(operation)
  })
  return parts
}

function keysOf(operation: Operation): readonly string[] {
  if (operation.op !== 'txn') return [operation.key ?? '']
  return txnSteps(operation).map(([, key]) => key)
}
