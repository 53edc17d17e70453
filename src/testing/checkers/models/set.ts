import type { Operation } from '../../history/operation.ts'
import { type CanonicalValue, canonicalValue, hashText, mixHash } from '../canonical-value.ts'
import { partitionByKey, type SequentialModel } from '../sequential-model.ts'
import { booleanResult, malformedOperation, shown, unknownOperation } from './decoding.ts'

export interface SetState {
  readonly elements: ReadonlySet<CanonicalValue>
  readonly hash: number
}

export type SetOp =
  /** `changed` is undefined when the result does not tell. */
  | {
      readonly type: 'add' | 'remove'
      readonly element: CanonicalValue
      readonly changed: boolean | undefined
    }
  | { readonly type: 'contains'; readonly element: CanonicalValue; readonly found: boolean | undefined }
  | { readonly type: 'read'; readonly elements: ReadonlySet<CanonicalValue> | undefined }

const name = 'set'
const operations = ['add', 'remove', 'contains', 'read']

/**
 * One set for each key, empty at first: `add` and `remove` may return whether they changed it, `contains` returns whether the element is in it, `read`
 * returns all elements as a list in any order. A set of which the whole is never read is judged element by element.
 */
export function setModel(): SequentialModel<SetState, SetOp> {
  return {
    name,
    operations,
    initial: { elements: new Set(), hash: 0 },
    decode,
    step,
    hash: ({ hash }) => hash,
    equal: (a, b) => a === b || (a.elements.size === b.elements.size && hasAll(a.elements, b.elements)),
    isObservation: (op) => op.type === 'read' || op.type === 'contains' || op.changed === false,
    partition,
    unobserved: (part) => unobserved(part.map(({ op }) => op)),
    describeState: ({ elements }) => `{${[...elements].join(', ')}}`,
  }
}

function decode(operation: Operation): SetOp {
  const { op, input, output, outcome } = operation
  if (op === 'read') {
    if (outcome !== 'ok') return { type: op, elements: undefined }
    if (Array.isArray(output)) return { type: op, elements: new Set(output.map(canonicalValue)) }
    throw malformedOperation(name, operation, `the result is ${shown(output)}, but must be a list`)
  }
  if (op !== 'add' && op !== 'remove' && op !== 'contains')
    throw unknownOperation(name, operation, operations)
  if (input === undefined) throw malformedOperation(name, operation, 'the call has no value')
  const element = canonicalValue(input)
  if (op === 'contains') return { type: op, element, found: booleanResult(name, operation) }
  return { type: op, element, changed: typeof output === 'boolean' ? output : undefined }
}

function step(state: SetState, op: SetOp): SetState | undefined {
  if (op.type === 'read') {
    if (op.elements === undefined) return state
    return op.elements.size === state.elements.size && hasAll(op.elements, state.elements) ? state : undefined
  }
  const has = state.elements.has(op.element)
  if (op.type === 'contains') return op.found === undefined || op.found === has ? state : undefined
  const changes = has !== (op.type === 'add')
  if (op.changed !== undefined && op.changed !== changes) return undefined
  if (!changes) return state
  const elements = new Set(state.elements)
  if (op.type === 'add') elements.add(op.element)
  else elements.delete(op.element)
  return { elements, hash: state.hash ^ mixHash(hashText(op.element), 0x2545f491) }
}

/**
 * Unobserved is an addition of an element that no read and no `contains` found, and that no `add` or `remove` gave a result for: whatever is left says that the element is
 * absent, or says nothing, and agrees with its never having been added.
 */
function unobserved(part: readonly SetOp[]): (op: SetOp) => boolean {
  const seen = new Set<CanonicalValue>()
  for (const op of part) {
    if (op.type === 'read') for (const element of op.elements ?? []) seen.add(element)
    else if (op.type === 'contains') {
      if (op.found === true) seen.add(op.element)
    } else if (op.changed !== undefined) seen.add(op.element)
  }
  return (op) => op.type === 'add' && !seen.has(op.element)
}

function partition(history: readonly Operation[]): Map<string, readonly Operation[]> {
  const parts = new Map<string, readonly Operation[]>()
  for (const [key, members] of partitionByKey(history)) {
    if (members.some(({ op }) => op === 'read')) parts.set(key, members)
    else
      for (const [element, part] of partitionByElement(members)) parts.set(`${key} ${element}`.trim(), part)
  }
  return parts
}

function partitionByElement(members: readonly Operation[]): Map<string, Operation[]> {
  const parts = new Map<string, Operation[]>()
  for (const operation of members) {
    const element = canonicalValue(operation.input)
    const part = parts.get(element)
    if (part === undefined) parts.set(element, [operation])
    else part.push(operation)
  }
  return parts
}

function hasAll(a: ReadonlySet<CanonicalValue>, b: ReadonlySet<CanonicalValue>): boolean {
  for (const element of a) if (!b.has(element)) return false
  return true
}
