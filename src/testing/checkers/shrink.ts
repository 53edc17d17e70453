import type { Clock } from '../../contracts/world.ts'
import type { Operation } from '../history/operation.ts'
import { checkLinearizability } from './linearizability.ts'
import type { SequentialModel } from './sequential-model.ts'

export interface ShrinkOptions {
  readonly clock: Pick<Clock, 'monotonicMs'>
  /** Default 5000. What has been reached by then is returned. */
  readonly timeLimitMs?: number
}

/**
 * The shortest part found of a failing history that fails too, and whose failure proves that of the whole. So an operation is left out only if no history becomes wrong by its absence:
 *
 * - the history is cut at a moment: what was called later is left out, what returned later has an unknown outcome (a prefix of a linearizable history is linearizable);
 * - operations that changed nothing are left out;
 * - changes that nothing left in the history shows (see {@link SequentialModel.unobserved}) are left out.
 *
 * Returns `operations` when they do not fail within the time.
 */
export function shrinkViolation<State, Op>(
  model: SequentialModel<State, Op>,
  operations: readonly Operation[],
  options: ShrinkOptions,
): readonly Operation[] {
  const shrinker = new Shrinker(model, options)
  if (!shrinker.fails(operations)) return operations
  return shrinker.leaveOut(shrinker.cut(operations))
}

class Shrinker<State, Op> {
  readonly #model: SequentialModel<State, Op>
  readonly #clock: Pick<Clock, 'monotonicMs'>
  readonly #endsAt: number

  constructor(model: SequentialModel<State, Op>, { clock, timeLimitMs = 5000 }: ShrinkOptions) {
    this.#model = model
    this.#clock = clock
    this.#endsAt = clock.monotonicMs() + timeLimitMs
  }

  fails(operations: readonly Operation[]): boolean {
    const timeLimitMs = this.#endsAt - this.#clock.monotonicMs()
    if (timeLimitMs <= 0) return false
    return (
      checkLinearizability(this.#model, operations, { clock: this.#clock, timeLimitMs }).verdict ===
      'violation'
    )
  }

  /** At the earliest return with which it fails (by bisection: once a prefix fails, every longer one does). */
  cut(operations: readonly Operation[]): readonly Operation[] {
    const ends = operations
      .filter(({ outcome }) => outcome === 'ok')
      .map(({ returnedAt }) => returnedAt)
      .sort((a, b) => a - b)
    let best = operations
    let low = 0
    let high = ends.length - 1
    while (low < high) {
      const middle = (low + high) >>> 1
      const prefix = prefixUntil(operations, ends[middle] as number)
      if (this.fails(prefix)) {
        best = prefix
        high = middle
      } else {
        low = middle + 1
      }
    }
    return best
  }

  /** Tries halves, quarters and so on, down to single operations, until a whole pass over the single ones leaves nothing out. */
  leaveOut(operations: readonly Operation[]): readonly Operation[] {
    let kept = operations
    let size = Math.max(1, kept.length >>> 1)
    while (this.#clock.monotonicMs() < this.#endsAt) {
      const before = kept.length
      for (let start = 0; start < kept.length; ) {
        const shorter = this.#without(kept, start, start + size)
        if (shorter.length < kept.length && this.fails(shorter)) kept = shorter
        else start += size
      }
      if (size === 1 && kept.length === before) break
      size = Math.max(1, size >>> 1)
    }
    return kept
  }

  /** Without those of `kept[start..end)` that may be left out. */
  #without(kept: readonly Operation[], start: number, end: number): readonly Operation[] {
    const decoded = kept.map((operation) => ({ operation, op: this.#model.decode(operation) }))
    const rest = decoded.filter(
      ({ operation, op }, i) =>
        operation.outcome !== 'fail' && (i < start || i >= end || !this.#model.isObservation(op)),
    )
    const isUnobserved = this.#model.unobserved?.(rest) ?? (() => false)
    const chunk = new Set(kept.slice(start, end))
    return rest
      .filter(({ operation, op }) => !chunk.has(operation) || !isUnobserved(op))
      .map(({ operation }) => operation)
  }
}

function prefixUntil(operations: readonly Operation[], time: number): Operation[] {
  return operations
    .filter(({ calledAt }) => calledAt <= time)
    .map((operation): Operation => {
      if (operation.returnedAt <= time || operation.outcome === 'unknown') return operation
      return { ...operation, outcome: 'unknown', output: undefined, returnedAt: Number.POSITIVE_INFINITY }
    })
}
