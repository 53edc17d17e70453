import type { JsonValue } from '../../base/json-value.ts'
import type { Operation } from '../history/operation.ts'

/** An operation for a test. Without `returnedAt` its outcome is unknown. */
export function op(
  calledAt: number,
  returnedAt: number | undefined,
  name: string,
  input?: JsonValue,
  output?: JsonValue,
  more: Partial<Operation> = {},
): Operation {
  const outcome = returnedAt === undefined ? 'unknown' : 'ok'
  return {
    index: 0,
    process: `p${calledAt}`,
    op: name,
    key: undefined,
    input,
    output: outcome === 'ok' ? output : undefined,
    outcome,
    calledAt,
    returnedAt: returnedAt ?? Number.POSITIVE_INFINITY,
    ...more,
  }
}

/** Numbers the operations in the order given, which is that of their calls. */
export function numbered(operations: readonly Operation[]): Operation[] {
  return operations.map((operation, index) => ({ ...operation, index }))
}

/** A clock that stands still. */
export const fixedClock = { monotonicMs: () => 0 }

/** A clock that goes on by `stepMs` whenever it is looked at. */
export function countingClock(stepMs: number): { monotonicMs(): number } {
  let now = 0
  return {
    monotonicMs() {
      now += stepMs
      return now
    },
  }
}
