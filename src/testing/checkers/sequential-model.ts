import type { Operation } from '../history/operation.ts'

/**
 * What an object does when it is used by one caller at a time: the standard against which concurrent histories are judged.
 * Pure: no function changes its arguments, and states are never changed in place.
 *
 * `State` is compared by {@link SequentialModel.equal}, and `Op` is the decoded form of one operation of a history: `decode` runs once
 * for each operation, `step` many times, so put the work into `decode`.
 */
export interface SequentialModel<State, Op> {
  readonly name: string
  /** What `op` names the model knows, for messages. */
  readonly operations: readonly string[]
  readonly initial: State
  /** Throws `invalid-argument` when this is not an operation of the model, or its argument or result has not the right form. */
  decode(operation: Operation): Op
  /**
   * The state after `op`, or `undefined` when in `state` it cannot have had the result it had. An operation of unknown outcome
   * is stepped only in the case that it took effect; `undefined` then says that in `state` it has no effect.
   */
  step(state: State, op: Op): State | undefined
  /** 32 bits; equal for equal states. */
  hash(state: State): number
  equal(a: State, b: State): boolean
  /** True when `op`, with the result that it had, never changes the state. Such an operation of unknown outcome says nothing. */
  isObservation(op: Op): boolean
  /**
   * Names the parts that can be judged apart: the history is linearizable exactly if each part is (P-compositionality: Herlihy & Wing 1990,
   * theorem 1; Horn & Kroening 2015). Default: one part.
   */
  partition?(operations: readonly Operation[]): ReadonlyMap<string, readonly Operation[]>
  /**
   * For the decoded operations of one part (those of unknown outcome included): a test that is true for an operation that none of the others
   * can tell from one that never happened. Such an operation may be left out without changing the verdict when its outcome is
   * unknown, and by the shrinking of a counterexample. Each model says why its test is right.
   */
  unobserved?(part: readonly DecodedOperation<Op>[]): (op: Op) => boolean
  /** A check over the whole history that the parts cannot make. A text that says what is wrong, with the operations that show it. */
  checkWhole?(operations: readonly DecodedOperation<Op>[]): WholeHistoryFault | undefined
  /** For people. */
  describeState(state: State): string
}

export interface DecodedOperation<Op> {
  readonly operation: Operation
  readonly op: Op
}

export interface WholeHistoryFault {
  readonly message: string
  readonly operations: readonly Operation[]
}

/** A model whose types do not matter to the holder. */
// oxlint-disable-next-line typescript/no-explicit-any
export type AnySequentialModel = SequentialModel<any, any>

/** Parts by key. Operations without a key belong to the part with the empty name. */
export function partitionByKey(operations: readonly Operation[]): Map<string, Operation[]> {
  const parts = new Map<string, Operation[]>()
  for (const operation of operations) {
    const key = operation.key ?? ''
    const part = parts.get(key)
    if (part === undefined) parts.set(key, [operation])
    else part.push(operation)
  }
  return parts
}
