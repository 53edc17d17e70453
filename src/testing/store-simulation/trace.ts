import type { Message } from '../../protocols/raft/types.ts'
import type { MemberStep } from '../invariants/cluster-view.ts'

/** One line of a trace. The fields are described in `docs/blocks/simulation.md`, and keep their names. */
export interface TraceEvent {
  /** True time in ms since the start of the run. */
  readonly time: number
  /** `start`, `send`, or the type of the event that was handled: `tick`, `receive`, `propose`, `persisted`, … */
  readonly event: string
  readonly node: number
  /** Which start of the node this is: 1, 2, … */
  readonly life: number
  readonly role: string
  readonly term: number
  /** 0: none in this term. */
  readonly vote: number
  /** 0: none known. */
  readonly leader: number
  readonly commit: number
  readonly applied: number
  /** Index of the last entry. */
  readonly log: number
  readonly logTerm: number
  /** Last index that is on the node's own disk. */
  readonly durable: number
  readonly configuration: readonly number[]
  /** Of `receive` and `send`: without the bytes of entries and snapshots. */
  readonly message?: Readonly<Record<string, unknown>>
}

/** What a step was, and each message that it sent: all with the state after the step. */
export function traceOf(step: MemberStep): TraceEvent[] {
  const { before, event, effects } = step
  const lines: TraceEvent[] = []
  if (before === undefined) lines.push(lineOf(step, 'start'))
  lines.push(event.type === 'receive' ? lineOf(step, 'receive', event.message) : lineOf(step, event.type))
  for (const effect of effects) {
    if (effect.type === 'send') lines.push(lineOf(step, 'send', effect.message))
  }
  return lines
}

export function formatTrace(step: MemberStep): string {
  return traceOf(step)
    .map((line) => `${JSON.stringify(line)}\n`)
    .join('')
}

function lineOf({ timeMs, member, after }: MemberStep, event: string, message?: Message): TraceEvent {
  return {
    time: timeMs,
    event,
    node: member.id,
    life: member.life,
    role: after.role,
    term: after.term,
    vote: after.vote,
    leader: after.leader,
    commit: after.commitIndex,
    applied: after.appliedIndex,
    log: after.lastIndex,
    logTerm: after.lastTerm,
    durable: after.persistedIndex,
    configuration: after.configuration.voters,
    ...(message === undefined ? {} : { message: describeMessage(message) }),
  }
}

function describeMessage(message: Message): Readonly<Record<string, unknown>> {
  if (message.type === 'appendEntries') {
    return { ...message, entries: message.entries.map(({ index, term, kind }) => ({ index, term, kind })) }
  }
  if (message.type !== 'installSnapshot') return { ...message }
  const { data, ...rest } = message
  return { ...rest, bytes: data.byteLength }
}
