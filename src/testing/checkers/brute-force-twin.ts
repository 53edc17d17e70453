import type { Operation } from '../history/operation.ts'
import type { SequentialModel } from './sequential-model.ts'

/**
 * The definition of linearizability, tried out: every order of the operations, every choice of which unknown ones took effect, with one object of the
 * model for each key and no parts judged apart. For small histories: the standard with which the tests compare `checkLinearizability`.
 */
export function isLinearizableByBruteForce<State, Op>(
  model: SequentialModel<State, Op>,
  operations: readonly Operation[],
): boolean {
  const rest = operations.filter(({ outcome }) => outcome !== 'fail')
  return canFinish(model, new Map(), rest)
}

function canFinish<State, Op>(
  model: SequentialModel<State, Op>,
  objects: ReadonlyMap<string, State>,
  rest: readonly Operation[],
): boolean {
  if (rest.every(({ outcome }) => outcome === 'unknown')) return true
  return rest.some((next) => {
    if (rest.some((other) => other.returnedAt < next.calledAt)) return false
    // The kv model is one object with many keys.
    const object = model.name === 'kv' ? '' : (next.key ?? '')
    const after = model.step(objects.get(object) ?? model.initial, model.decode(next))
    if (after === undefined) return false
    const others = rest.filter((other) => other !== next)
    return canFinish(model, new Map(objects).set(object, after), others)
  })
}

/**
 * The same for a versioned store seen as one object: in the order chosen, each change makes a revision above all before it, and a result that tells the store's revision tells
 * the one it was at. Revisions may be left out (something else in the store took them).
 */
export function followsRevisionsByBruteForce<State, Op>(
  model: SequentialModel<State, Op>,
  operations: readonly Operation[],
  revisionOf: (op: Op) => { readonly made?: number | undefined; readonly seen?: number | undefined },
): boolean {
  interface Store {
    readonly objects: ReadonlyMap<string, State>
    readonly revision: number
  }
  const whole: SequentialModel<Store, { readonly key: string; readonly op: Op }> = {
    ...model,
    partition: undefined as never,
    unobserved: undefined as never,
    checkWhole: undefined as never,
    initial: { objects: new Map(), revision: 0 },
    hash: () => 0,
    equal: (a, b) => a === b,
    describeState: () => '',
    isObservation: ({ op }) => model.isObservation(op),
    decode: (operation) => ({ key: operation.key ?? '', op: model.decode(operation) }),
    step({ objects, revision }, { key, op }) {
      const after = model.step(objects.get(key) ?? model.initial, op)
      const { made, seen = made } = revisionOf(op)
      if (after === undefined || (made !== undefined && made <= revision)) return undefined
      if (seen !== undefined && seen < revision) return undefined
      return { objects: new Map(objects).set(key, after), revision: seen ?? revision }
    },
  }
  return canFinish(
    { ...whole, name: 'kv' },
    new Map(),
    operations.filter(({ outcome }) => outcome !== 'fail'),
  )
}
