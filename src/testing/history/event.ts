import type { JsonValue } from '../../base/json-value.ts'

/**
 * How a call ended, as its caller knows it: `'ok'`, it took effect and `value` is its result; `'fail'`, it surely took no
 * effect and never will; `'unknown'`, it may have taken effect, or may yet.
 */
export type EventOutcome = 'ok' | 'fail' | 'unknown'

/** The moment at which a process asked for an operation. */
export interface CallEvent {
  readonly process: string
  readonly type: 'call'
  readonly op: string
  readonly key?: string
  /** The argument. */
  readonly value?: JsonValue
  /** Any unit and origin, the same for the whole history. */
  readonly time: number
  /** Names the operation; free, and only compared with the id of the return. */
  readonly id?: string
}

/** The moment at which the process learned how its open call ended. */
export interface ReturnEvent {
  readonly process: string
  readonly type: 'return'
  readonly op: string
  readonly key?: string
  /** The result, when the outcome is `'ok'`. */
  readonly value?: JsonValue
  readonly time: number
  readonly id?: string
  readonly outcome: EventOutcome
  /** For people: why it failed. */
  readonly error?: string
}

/** One line of a history. The format is documented in `docs/blocks/checker.md`. */
export type HistoryEvent = CallEvent | ReturnEvent

/** One line of the format, without the line end. */
export function formatEvent(event: HistoryEvent): string {
  return JSON.stringify(event)
}

/** The whole history as text, one event a line. */
export function formatHistory(events: Iterable<HistoryEvent>): string {
  let text = ''
  for (const event of events) text += `${formatEvent(event)}\n`
  return text
}
