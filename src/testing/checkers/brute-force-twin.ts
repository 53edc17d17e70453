import type { Operation } from '../history/operation.ts'
import type { SequentialModel } from './sequential-model.ts'

/**
 * The definition of linearizability, tried out: every order of the operations, every choice of which unknown ones took effect. For small histories; the
 * standard with which the tests compare {@link checkLinearizability}. Shares nothing with it but the model.
 */
export function isLinearizableByBruteForce<State, Op>(
  model: SequentialModel<State, Op>,
  operations: readonly Operation[],
): boolean {
  const rest = operations.filter(({ outcome }) => outcome !== 'fail')
  return canFinish(model, model.initial, rest)
}

function canFinish<State, Op>(
  model: SequentialModel<State, Op>,
  state: State,
  rest: readonly Operation[],
): boolean {
  if (rest.every(({ outcome }) => outcome === 'unknown')) return true
  return rest.some((next) => {
    if (rest.some((other) => other.returnedAt < next.calledAt)) return false
    const after = model.step(state, model.decode(next))
    return (
      after !== undefined &&
      canFinish(
        model,
        after,
        rest.filter((other) => other !== next),
      )
    )
  })
}
