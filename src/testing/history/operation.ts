import { AlthingError } from '../../contracts/errors.ts'
import type { JsonValue } from '../../base/json-value.ts'
import type { CallEvent, EventOutcome, HistoryEvent, ReturnEvent } from './event.ts'

/** A call together with its return: what the checkers judge. */
export interface Operation {
  /** 0, 1, 2, … in the order of the calls; unique in a history. */
  readonly index: number
  readonly process: string
  readonly op: string
  readonly key: string | undefined
  /** The argument. */
  readonly input: JsonValue | undefined
  /** The result; `undefined` unless the outcome is `'ok'` and the operation has one. */
  readonly output: JsonValue | undefined
  readonly outcome: EventOutcome
  readonly calledAt: number
  /** `Infinity` when the outcome is unknown: it may take effect at any later time. */
  readonly returnedAt: number
}

interface OpenCall {
  readonly event: CallEvent
  readonly position: number
}

/**
 * Pairs the calls and returns of `events` by process. The events of one process must stand in order, those of different processes
 * may be mixed in any way; `time` decides between them. A call that has no return has an unknown outcome.
 *
 * Throws `invalid-argument`, naming the event by its number (`locate` turns a position into the name, by default `event N`),
 * when a process has two calls open, returns without a call, goes back in time, or acts after an unknown outcome.
 */
export function pairOperations(
  events: readonly HistoryEvent[],
  locate: (position: number) => string = (position) => `event ${position + 1}`,
): Operation[] {
  const pairing = new Pairing(locate)
  events.forEach((event, position) => {
    pairing.add(event, position)
  })
  return pairing.finish()
}

class Pairing {
  readonly #locate: (position: number) => string
  readonly #open = new Map<string, OpenCall>()
  readonly #lastTime = new Map<string, number>()
  readonly #ended = new Map<string, number>()
  readonly #pairs: { call: OpenCall; result: ReturnEvent | undefined }[] = []

  constructor(locate: (position: number) => string) {
    this.#locate = locate
  }

  add(event: HistoryEvent, position: number): void {
    this.#checkProcess(event, position)
    this.#lastTime.set(event.process, event.time)
    if (event.type === 'call') this.#open.set(event.process, { event, position })
    else this.#close(event, position)
  }

  finish(): Operation[] {
    for (const call of this.#open.values()) this.#pairs.push({ call, result: undefined })
    this.#pairs.sort((a, b) => a.call.event.time - b.call.event.time || a.call.position - b.call.position)
    return this.#pairs.map(({ call, result }, index) => toOperation(index, call.event, result))
  }

  #checkProcess(event: HistoryEvent, position: number): void {
    const { process } = event
    const endedAt = this.#ended.get(process)
    if (endedAt !== undefined) {
      const advice = 'give the client a new process id after an unknown outcome'
      const message = `process ${show(process)} acts again after its outcome became unknown at ${this.#locate(endedAt)}; ${advice}`
      throw this.#error(position, 'process', message)
    }
    const last = this.#lastTime.get(process)
    if (last !== undefined && event.time < last) {
      const message = `${event.time} is before ${last}, the time of the event before it of process ${show(process)}`
      throw this.#error(position, 'time', message)
    }
    const open = this.#open.get(process)
    if (event.type === 'call' && open !== undefined) {
      const message = `process ${show(process)} calls ${event.op} while its call at ${this.#locate(open.position)} is open`
      throw this.#error(position, 'process', message)
    }
  }

  #close(event: ReturnEvent, position: number): void {
    const call = this.#open.get(event.process)
    if (call === undefined) {
      throw this.#error(position, 'process', `process ${show(event.process)} returns without an open call`)
    }
    for (const field of ['op', 'key', 'id'] as const) {
      const [asked, answered] = [call.event[field], event[field]]
      if (answered === undefined || asked === answered || (field === 'id' && asked === undefined)) continue
      const message = `${show(answered)} is not that of the call at ${this.#locate(call.position)}, ${show(asked)}`
      throw this.#error(position, field, message)
    }
    this.#open.delete(event.process)
    if (event.outcome === 'unknown') this.#ended.set(event.process, position)
    this.#pairs.push({ call, result: event })
  }

  #error(position: number, field: string, problem: string): AlthingError {
    return new AlthingError('invalid-argument', `${this.#locate(position)}: field ${field}: ${problem}`, {
      details: { position, field },
    })
  }
}

function toOperation(index: number, call: CallEvent, result: ReturnEvent | undefined): Operation {
  const outcome = result?.outcome ?? 'unknown'
  return {
    index,
    process: call.process,
    op: call.op,
    key: call.key,
    input: call.value,
    output: outcome === 'ok' ? result?.value : undefined,
    outcome,
    calledAt: call.time,
    returnedAt: result === undefined || outcome === 'unknown' ? Number.POSITIVE_INFINITY : result.time,
  }
}

function show(value: unknown): string {
  const text = JSON.stringify(value) ?? 'absent'
  return text.length > 80 ? `${text.slice(0, 77)}...` : text
}
