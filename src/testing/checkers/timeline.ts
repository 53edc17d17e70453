import type { Operation } from '../history/operation.ts'

/** What is drawn: the operations, and what the search found out about them. */
export interface TimelineSubject {
  readonly operations: readonly Operation[]
  /** The longest order found. */
  readonly longest?: readonly Operation[]
  readonly blocked?: Operation | undefined
}

/** Operations drawn; the rest are counted. */
export const timelineRowsMax = 200

const barWidth = 56
const labelWidth = 60

/** Where each operation lies: moments are numbered, so that the drawing shows the order and not the lengths of time. */
export interface TimelineRow {
  readonly operation: Operation
  /** 0..columns-1. */
  readonly from: number
  /** `undefined`: open to the right. */
  readonly to: number | undefined
  /** 1, 2, 3, … in the longest order found. */
  readonly place: number | undefined
  readonly isBlocked: boolean
}

export interface TimelineLayout {
  readonly rows: readonly TimelineRow[]
  readonly columns: number
  readonly hidden: number
}

export function layOutTimeline({ operations, longest = [], blocked }: TimelineSubject): TimelineLayout {
  const shown = [...operations]
    .sort((a, b) => a.calledAt - b.calledAt || a.index - b.index)
    .slice(0, timelineRowsMax)
  const times = new Set(
    shown.flatMap(({ calledAt, returnedAt }) => [calledAt, returnedAt]).filter(Number.isFinite),
  )
  const columns = new Map([...times].sort((a, b) => a - b).map((time, column) => [time, column]))
  const places = new Map(longest.map(({ index }, i) => [index, i + 1]))
  const rows = shown.map((operation) => ({
    operation,
    from: columns.get(operation.calledAt) ?? 0,
    to: columns.get(operation.returnedAt),
    place: places.get(operation.index),
    isBlocked: operation.index === blocked?.index,
  }))
  return { rows, columns: Math.max(1, columns.size), hidden: operations.length - shown.length }
}

/** One line an operation: who, from when to when, what, and its number in the longest order found (`XX`: cannot be placed). */
export function drawTimeline(subject: TimelineSubject): string {
  const { rows, columns, hidden } = layOutTimeline(subject)
  const scale = columns <= 1 ? 0 : (barWidth - 1) / (columns - 1)
  const nameWidth = Math.min(24, Math.max(...rows.map(({ operation }) => operation.process.length), 1))
  const lines = rows.map((row) => {
    const name = row.operation.process.slice(0, nameWidth).padEnd(nameWidth)
    const place = row.isBlocked ? 'XX' : (row.place?.toString() ?? '')
    return `${place.padStart(4)} ${name} ${drawBar(row, scale)} ${describeOperation(row.operation)}`
  })
  if (hidden > 0) lines.push(`     … and ${hidden} more`)
  return `${lines.join('\n')}\n`
}

function drawBar({ from, to }: TimelineRow, scale: number): string {
  const start = Math.round(from * scale)
  const end = to === undefined ? barWidth - 1 : Math.round(to * scale)
  const last = to === undefined ? '>' : '|'
  const bar = end > start ? `|${(to === undefined ? '.' : '-').repeat(end - start - 1)}${last}` : last
  return `${' '.repeat(start)}${bar}`.padEnd(barWidth)
}

/** `write a 1`, `read a -> 1`, `write a 1 -> ?`. */
export function describeOperation({ op, key, input, output, outcome }: Operation): string {
  const parts = [op]
  if (key !== undefined) parts.push(key)
  if (input !== undefined) parts.push(JSON.stringify(input))
  if (outcome !== 'ok') parts.push(outcome === 'fail' ? '-> failed' : '-> ?')
  else if (output !== undefined) parts.push('->', JSON.stringify(output))
  // A key or value of the history must not be able to steer the terminal.
  const text = parts.join(' ').replace(/\p{Cc}/gu, '·')
  return text.length > labelWidth ? `${text.slice(0, labelWidth - 1)}…` : text
}
