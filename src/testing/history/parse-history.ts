import { AlthingError } from '../../contracts/errors.ts'
import type { JsonValue } from '../../base/json-value.ts'
import type { EventOutcome, HistoryEvent } from './event.ts'
import { type Operation, pairOperations } from './operation.ts'

/** What a history read from outside may be at most. Past a bound the parser says so with `too-large`. */
export interface HistoryLimits {
  readonly lineCharactersMax: number
  readonly eventsMax: number
  /** Of arrays and objects in `value`. */
  readonly depthMax: number
}

export const historyLimits: HistoryLimits = {
  lineCharactersMax: 4 * 1024 * 1024,
  eventsMax: 10_000_000,
  depthMax: 64,
}

/**
 * Reads a history: one JSON event a line (see `docs/blocks/checker.md`). Empty lines are passed over. Throws `invalid-argument`
 * or `too-large` with the number of the line and the name of the field; never anything else, whatever the text.
 */
export function parseHistory(text: string, limits: HistoryLimits = historyLimits): Operation[] {
  const events: HistoryEvent[] = []
  const lines: number[] = []
  for (const [line, content] of linesOf(text)) {
    if (content.length > limits.lineCharactersMax) {
      throw tooLarge(`line ${line}`, `${content.length} characters`, limits.lineCharactersMax)
    }
    if (content.trim() === '') continue
    if (events.length >= limits.eventsMax) throw tooLarge(`line ${line}`, 'more events', limits.eventsMax)
    events.push(parseEvent(content, line, limits))
    lines.push(line)
  }
  return pairOperations(events, (position) => `line ${lines[position]}`)
}

function* linesOf(text: string): Generator<[number, string]> {
  let line = 1
  let start = 0
  while (start < text.length) {
    const found = text.indexOf('\n', start)
    const end = found < 0 ? text.length : found
    yield [line, text.slice(start, text[end - 1] === '\r' ? end - 1 : end)]
    line += 1
    start = end + 1
  }
}

/** One line. Throws as {@link parseHistory} does. */
export function parseEvent(
  content: string,
  line: number,
  limits: HistoryLimits = historyLimits,
): HistoryEvent {
  const fields = parseObject(content, line)
  const type = oneOf(fields, 'type', ['call', 'return'] as const, line)
  const value = fields['value'] as JsonValue | undefined
  if (depthOver(value, limits.depthMax)) {
    throw wrong(line, 'value', `is nested deeper than ${limits.depthMax} levels`)
  }
  const key = optionalName(fields, 'key', line)
  const id = optionalName(fields, 'id', line)
  const common = {
    process: name(fields, 'process', line),
    op: text(fields, 'op', line),
    time: time(fields, line),
    ...(key === undefined ? {} : { key }),
    ...(value === undefined ? {} : { value }),
    ...(id === undefined ? {} : { id }),
  }
  if (type === 'call') return { ...common, type }
  const outcome: EventOutcome = oneOf(fields, 'outcome', ['ok', 'fail', 'unknown'] as const, line)
  const error = fields['error']
  return { ...common, type, outcome, ...(typeof error === 'string' ? { error } : {}) }
}

type Fields = Readonly<Record<string, unknown>>

function parseObject(content: string, line: number): Fields {
  let parsed: unknown
  try {
    parsed = JSON.parse(content)
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new AlthingError('invalid-argument', `line ${line}: is not JSON: ${shorten(reason)}`, { cause })
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw new AlthingError('invalid-argument', `line ${line}: is not a JSON object but ${show(parsed)}`)
  }
  return { ...parsed }
}

function oneOf<const T extends string>(
  fields: Fields,
  field: string,
  allowed: readonly T[],
  line: number,
): T {
  const value = fields[field]
  for (const choice of allowed) if (choice === value) return choice
  throw wrong(line, field, mustBe(value, allowed.map((choice) => `"${choice}"`).join(' or ')))
}

function text(fields: Fields, field: string, line: number): string {
  const value = fields[field]
  if (typeof value === 'string' && value !== '') return value
  throw wrong(line, field, mustBe(value, 'a text that is not empty'))
}

function name(fields: Fields, field: string, line: number): string {
  const value = optionalName(fields, field, line)
  if (value !== undefined) return value
  throw wrong(line, field, mustBe(undefined, 'a text or a number'))
}

function optionalName(fields: Fields, field: string, line: number): string | undefined {
  const value = fields[field]
  if (value === undefined || value === null) return undefined
  if (typeof value === 'string') return value
  if (typeof value === 'number' && Number.isFinite(value)) return String(value)
  throw wrong(line, field, mustBe(value, 'a text or a number'))
}

function time(fields: Fields, line: number): number {
  const value = fields['time']
  if (typeof value === 'number' && Number.isFinite(value)) return value
  throw wrong(line, 'time', mustBe(value, 'a finite number'))
}

/** Without recursion: the text may be hostile. */
function depthOver(value: unknown, depthMax: number): boolean {
  let level = [value]
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > depthMax) return true
    const next: unknown[] = []
    for (const item of level) {
      if (typeof item !== 'object' || item === null) continue
      for (const child of Object.values(item))
        if (typeof child === 'object' && child !== null) next.push(child)
    }
    level = next
  }
  return false
}

function mustBe(value: unknown, allowed: string): string {
  return value === undefined
    ? `is missing; it must be ${allowed}`
    : `is ${show(value)}, but must be ${allowed}`
}

function wrong(line: number, field: string, problem: string): AlthingError {
  return new AlthingError('invalid-argument', `line ${line}: field ${field} ${problem}`, {
    details: { line, field },
  })
}

function tooLarge(where: string, what: string, limit: number): AlthingError {
  return new AlthingError('too-large', `${where}: ${what} than the limit of ${limit}`, { details: { limit } })
}

function show(value: unknown): string {
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'an array' : 'an object'
  return shorten(JSON.stringify(value) ?? String(value))
}

function shorten(message: string): string {
  return message.length > 80 ? `${message.slice(0, 77)}...` : message
}
