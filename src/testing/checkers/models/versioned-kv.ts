import type { JsonValue } from '../../../base/json-value.ts'
import type { Operation } from '../../history/operation.ts'
import { canonicalNull, type CanonicalValue, canonicalValue, hashText, mixHash } from '../canonical-value.ts'
import { partitionByKey, type SequentialModel } from '../sequential-model.ts'
import { malformedOperation, memberOf, shown, unknownOperation } from './decoding.ts'
import { findRevisionFault } from './revision-order.ts'

export interface VersionedState {
  /** `null` while the key does not exist. */
  readonly value: CanonicalValue
  /** Revision of the newest change of the key, or a bound below it when `isExact` is false; 0 at first. */
  readonly revision: number
  /** False after a change whose answer was lost: its revision is then at least `revision`. */
  readonly isExact: boolean
}

export type VersionedOp =
  | {
      readonly type: 'get'
      readonly key: string
      /** Undefined when the result is not known. */
      readonly value: CanonicalValue | undefined
      /** Of the key's newest change; 0 when the key does not exist; undefined when the result does not tell. */
      readonly modRevision: number | undefined
      /** Revision of the whole store at which it was read, when the result tells. */
      readonly storeRevision: number | undefined
    }
  | {
      readonly type: 'change'
      readonly key: string
      /** `null` deletes. */
      readonly value: CanonicalValue
      /** Changes only a key whose newest change has this revision; 0: that does not exist. */
      readonly expected: number | undefined
      /** `true` and `false` as the result told; undefined when it is not known. */
      readonly applied: boolean | undefined
      /** The revision it made; undefined when the result does not tell. */
      readonly revision: number | undefined
      readonly storeRevision: number | undefined
    }

const name = 'versioned-kv'
const initial: VersionedState = { value: canonicalNull, revision: 0, isExact: true }
const operations = ['get', 'put', 'delete', 'cas']

/**
 * The store of Althing (and of etcd): every change makes a new revision of the whole store, and results carry revisions, which narrow the orders that can be right.
 *
 * | op | argument | result |
 * | --- | --- | --- |
 * | `get` | | `{ value, modRevision, revision? }`, or `null` when the key does not exist |
 * | `put` | the value, not `null` | `{ revision }` |
 * | `delete` | | `{ deleted: boolean, revision? }` |
 * | `cas` | `{ expected: modRevision, value }`: put if the key's newest change is that (0: does not exist) | `{ succeeded: boolean, revision }` |
 *
 * Each key is judged apart. What only the whole shows, that revisions of all keys together follow real time, is judged by {@link findRevisionFault}.
 */
export function versionedKvModel(): SequentialModel<VersionedState, VersionedOp> {
  return {
    name,
    operations,
    initial,
    decode,
    step,
    hash: (state) => mixHash(hashText(state.value), (state.revision << 1) | (state.isExact ? 1 : 0)),
    equal: (a, b) => a.revision === b.revision && a.isExact === b.isExact && a.value === b.value,
    isObservation: (op) => op.type === 'get' || op.applied === false,
    partition: partitionByKey,
    unobserved: (part) => unobserved(part.map(({ op }) => op)),
    checkWhole: (history) => findRevisionFault(history, replayKey),
    describeState({ value, revision, isExact }) {
      return `${value} at revision ${isExact ? revision : `>= ${revision}`}`
    },
  }
}

function decode(operation: Operation): VersionedOp {
  const { op, input, output, outcome } = operation
  const key = operation.key ?? ''
  const storeRevision = revisionOf(operation, 'revision')
  if (op === 'get') {
    if (outcome !== 'ok') return { type: op, key, value: undefined, modRevision: undefined, storeRevision }
    const value = canonicalValue(memberOf(output, 'value'))
    const modRevision = value === canonicalNull ? 0 : revisionOf(operation, 'modRevision')
    return { type: op, key, value, modRevision, storeRevision }
  }
  if (op === 'put')
    return toChange(operation, argument(operation, input), undefined, outcome === 'ok' || undefined)
  if (op === 'delete') return toChange(operation, null, undefined, resultFlag(operation, 'deleted'))
  if (op !== 'cas') throw unknownOperation(name, operation, operations)
  const expected = memberOf(input, 'expected')
  if (typeof expected !== 'number' || !Number.isSafeInteger(expected) || expected < 0) {
    throw malformedOperation(name, operation, `expected is ${shown(expected)}, but must be an integer >= 0`)
  }
  return toChange(
    operation,
    argument(operation, memberOf(input, 'value')),
    expected,
    resultFlag(operation, 'succeeded'),
  )
}

function toChange(
  operation: Operation,
  value: JsonValue,
  expected: number | undefined,
  applied: boolean | undefined,
): VersionedOp {
  const storeRevision = revisionOf(operation, 'revision')
  const revision = applied === true ? storeRevision : undefined
  const key = operation.key ?? ''
  return { type: 'change', key, value: canonicalValue(value), expected, applied, revision, storeRevision }
}

function argument(operation: Operation, value: JsonValue | undefined): JsonValue {
  if (value !== undefined && value !== null) return value
  throw malformedOperation(name, operation, 'the call must have a value other than null')
}

function resultFlag(operation: Operation, member: string): boolean | undefined {
  if (operation.outcome !== 'ok') return undefined
  const flag = memberOf(operation.output, member)
  if (typeof flag === 'boolean') return flag
  throw malformedOperation(name, operation, `the result has no ${member}: true or false`)
}

function revisionOf(operation: Operation, member: string): number | undefined {
  if (operation.outcome !== 'ok') return undefined
  const revision = memberOf(operation.output, member)
  if (revision === undefined) return undefined
  if (typeof revision === 'number' && Number.isSafeInteger(revision) && revision >= 0) return revision
  throw malformedOperation(name, operation, `${member} is ${shown(revision)}, but must be an integer >= 0`)
}

function step(state: VersionedState, op: VersionedOp): VersionedState | undefined {
  return op.type === 'get' ? get(state, op) : change(state, op)
}

function replayKey(ops: readonly VersionedOp[]): number | undefined {
  let state = initial
  for (const [i, op] of ops.entries()) {
    const after = step(state, op)
    if (after === undefined) return i
    state = after
  }
  return undefined
}

function get(state: VersionedState, op: VersionedOp & { type: 'get' }): VersionedState | undefined {
  if (op.value === undefined) return state
  if (op.value !== state.value) return undefined
  if (op.value === canonicalNull || op.modRevision === undefined) return state
  return pinRevision(state, op.modRevision)
}

/** The state with its revision known to be `revision`; `undefined` when it cannot be. */
function pinRevision(state: VersionedState, revision: number): VersionedState | undefined {
  if (state.isExact) return revision === state.revision ? state : undefined
  return revision >= state.revision ? { ...state, revision, isExact: true } : undefined
}

function change(state: VersionedState, op: VersionedOp & { type: 'change' }): VersionedState | undefined {
  const exists = state.value !== canonicalNull
  if (op.expected === undefined) {
    const hasEffect = exists || op.value !== canonicalNull
    if (op.applied === false) return hasEffect ? undefined : state
    return hasEffect ? advance(state, op) : undefined
  }
  if (op.applied === false) return mustMatch(state, exists, op.expected) ? undefined : state
  if (op.expected === 0) return exists ? undefined : advance(state, op)
  const pinned = exists ? pinRevision(state, op.expected) : undefined
  return pinned === undefined ? undefined : advance(pinned, op)
}

/** Whether the comparison surely holds. With a revision that is not known it may fail, unless the key is said not to exist. */
function mustMatch(state: VersionedState, exists: boolean, expected: number): boolean {
  if (expected === 0 || !exists) return (expected === 0) === !exists
  return state.isExact && state.revision === expected
}

function advance(state: VersionedState, op: VersionedOp & { type: 'change' }): VersionedState | undefined {
  if (op.revision === undefined) return { value: op.value, revision: state.revision + 1, isExact: false }
  return op.revision > state.revision ? { value: op.value, revision: op.revision, isExact: true } : undefined
}

/**
 * Unobserved is a change to a value that no get returned, for a key that no compare-and-put and no delete gave an answer for (those tell that a change was there without naming its
 * value). Revisions do not make it visible: they only have to grow from one change of a key to the next, and gaps are allowed, since other keys use the same ones.
 */
function unobserved(part: readonly VersionedOp[]): (op: VersionedOp) => boolean {
  const seen = new Set<CanonicalValue>()
  for (const op of part) {
    if (op.type === 'get') {
      if (op.value !== undefined) seen.add(op.value)
    } else if (op.expected !== undefined || (op.value === canonicalNull && op.applied !== undefined)) {
      return () => false
    }
  }
  return (op) => op.type === 'change' && !seen.has(op.value)
}
