import { assert } from '../../base/assert.ts'
import { AlthingError, isAlthingError } from '../../contracts/errors.ts'
import type { Clock } from '../../contracts/world.ts'
import type { JsonValue } from '../../base/json-value.ts'
import { type CallEvent, type EventOutcome, formatEvent, type HistoryEvent } from './event.ts'
import { type Operation, pairOperations } from './operation.ts'

export interface HistoryRecorderOptions {
  /**
   * Calls accepted before {@link HistoryRecorder.call} refuses with `overloaded` (default 1,000,000): a history with gaps would be judged
   * wrongly, so nothing is dropped. Returns of accepted calls are always kept.
   */
  readonly callsMax?: number
  /** Gets each event as it happens, as a line without its end. The recorder then keeps no events. */
  readonly sink?: (line: string) => void
}

export interface CallArguments {
  readonly key?: string
  readonly value?: JsonValue
}

/** A recorded call, whose end has yet to be told. Exactly one of the members is called, once. */
export interface RecordedCall {
  ok(value?: JsonValue): void
  /** It surely had no effect. */
  fail(error?: string): void
  /** It may have had an effect. The process must not act again. */
  unknown(error?: string): void
}

/** Writes down what concurrent clients asked and learned, by one clock, for a checker to judge. */
export class HistoryRecorder {
  readonly #clock: Pick<Clock, 'monotonicMs'>
  readonly #callsMax: number
  readonly #sink: ((line: string) => void) | undefined
  readonly #events: HistoryEvent[] = []
  readonly #open = new Set<string>()
  #calls = 0

  constructor(clock: Pick<Clock, 'monotonicMs'>, options: HistoryRecorderOptions = {}) {
    this.#clock = clock
    this.#callsMax = options.callsMax ?? 1_000_000
    this.#sink = options.sink
  }

  /** Events in the order of their happening; empty when a sink takes them. */
  get events(): readonly HistoryEvent[] {
    return this.#events
  }

  /** Calls recorded so far. */
  get calls(): number {
    return this.#calls
  }

  /** The events so far as operations; calls still open have an unknown outcome. */
  operations(): Operation[] {
    return pairOperations(this.#events)
  }

  call(process: string, op: string, args: CallArguments = {}): RecordedCall {
    if (this.#calls >= this.#callsMax) {
      throw new AlthingError('overloaded', `the history holds ${this.#calls} calls, its bound`, {
        outcome: 'none',
      })
    }
    assert(!this.#open.has(process), 'a process has one call open at a time', { process, op })
    this.#calls += 1
    this.#open.add(process)
    const event: CallEvent = { process, type: 'call', op, ...args, time: this.#clock.monotonicMs() }
    this.#write(event)
    const end = (outcome: EventOutcome, more: { value?: JsonValue; error?: string }) => {
      this.#end(event, outcome, more)
    }
    return {
      ok: (value) => end('ok', value === undefined ? {} : { value }),
      fail: (error) => end('fail', error === undefined ? {} : { error }),
      unknown: (error) => end('unknown', error === undefined ? {} : { error }),
    }
  }

  /** A client that may act for ever: it takes a new process id whenever an outcome is unknown. */
  client(name: string): RecordedClient {
    return new RecordedClient(this, name)
  }

  #end(call: CallEvent, outcome: EventOutcome, more: { value?: JsonValue; error?: string }): void {
    assert(this.#open.has(call.process), 'a call ends once', { process: call.process, op: call.op })
    // The id of a process whose outcome is unknown stays in the set: it may never act again.
    if (outcome !== 'unknown') this.#open.delete(call.process)
    const { process, op, key } = call
    const time = this.#clock.monotonicMs()
    this.#write({
      process,
      type: 'return',
      op,
      ...(key === undefined ? {} : { key }),
      ...more,
      time,
      outcome,
    })
  }

  #write(event: HistoryEvent): void {
    if (this.#sink === undefined) this.#events.push(event)
    else this.#sink(formatEvent(event))
  }
}

export class RecordedClient {
  readonly #recorder: HistoryRecorder
  readonly #name: string
  #lives = 1

  constructor(recorder: HistoryRecorder, name: string) {
    this.#recorder = recorder
    this.#name = name
  }

  /** The process id of the next call: the name, then `name#2`, `name#3`, … after each unknown outcome. */
  get process(): string {
    return this.#lives === 1 ? this.#name : `${this.#name}#${this.#lives}`
  }

  /**
   * Records `perform` as one operation whose result is `result(value)`. A rejection is recorded as `fail` when its `outcome` is
   * `'none'`, and as `unknown` otherwise; it is then thrown on.
   */
  async perform<T>(
    op: string,
    args: CallArguments,
    perform: () => Promise<T>,
    result: (value: T) => JsonValue | undefined,
  ): Promise<T> {
    const call = this.#recorder.call(this.process, op, args)
    let value: T
    try {
      value = await perform()
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      if (isAlthingError(error) && error.outcome === 'none') {
        call.fail(message)
      } else {
        this.#lives += 1
        call.unknown(message)
      }
      throw error
    }
    call.ok(result(value))
    return value
  }
}
