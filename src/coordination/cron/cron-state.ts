import type { CronTimes } from './cron-times.ts'
import type {
  CronActive,
  CronDefinition,
  CronPause,
  CronPending,
  CronRecord,
  CronRunKind,
} from './cron-types.ts'
import { timeText } from './cron-times.ts'

/** All that the store knows of a schedule but its history: one value under one key, so that each change is one comparison. */
export interface CronState {
  readonly definition: CronDefinition
  /** Every occurrence up to here has been decided, once and for all. */
  readonly decidedUntilMs: number
  readonly paused?: CronPause
  /** To be run, in this order. */
  readonly waiting: readonly CronPending[]
  readonly running: readonly CronActive[]
  /** How many records have been written: the number of the next one. */
  readonly records: number
}

/** The end of a run, as its instance tells it. */
export type CronEnd = Pick<CronRecord, 'outcome' | 'durationMs' | 'result' | 'error' | 'token'>

/**
 * A change of a schedule's state in the making: pure; what comes out is written in one transaction, which is refused when another was faster.
 *
 *     occurrences ── decide ──▶ waiting ── start ──▶ running ── finish ──▶ records
 *                        └──▶ records      ▲             └── interrupt ──▶ records
 *                     (missed, skipped)    └───────────────────┘ (at-least-once)
 */
export class CronChange {
  readonly records: CronRecord[] = []
  #state: CronState
  #isChanged = false

  constructor(state: CronState) {
    this.#state = state
  }

  get state(): CronState {
    return { ...this.#state, records: this.#state.records + this.records.length }
  }

  get isEmpty(): boolean {
    return !this.#isChanged
  }

  /** Decides every occurrence up to `nowMs` that is not decided yet. */
  decide(times: CronTimes, nowMs: number): void {
    const { definition, decidedUntilMs, paused } = this.#state
    if (paused !== undefined) return
    const max = Math.max(definition.missedMax, definition.runsMax) + 1
    const due = times.between(decidedUntilMs, nowMs, max)
    const last = due.at(-1)
    if (last === undefined) return
    this.#set({ decidedUntilMs: last })
    const late = due.filter((atMs) => atMs < nowMs - definition.startWithinMs)
    const prompt = due.slice(late.length)
    this.#decideMissed(late, prompt)
    const skipped = prompt.filter((atMs, index) => !this.#admit(atMs, index === 0 ? late.length : 0))
    // The first one would have stood for those that were missed.
    if (definition.missed === 'run-once' && skipped[0] !== undefined && skipped[0] === prompt[0])
      this.#recordUnrun('missed', late)
    this.#recordUnrun('skipped', skipped)
  }

  /** Takes the first that waits, if it may run now. */
  start(by: string, nowMs: number): CronActive | undefined {
    const { definition, waiting, running } = this.#state
    const [first, ...rest] = waiting
    const runningMax = definition.overlap === 'allow' ? definition.runsMax : 1
    if (first === undefined || running.length >= runningMax) return undefined
    const active: CronActive = { ...first, by, startedMs: nowMs }
    this.#set({ waiting: rest, running: [...running, active] })
    return active
  }

  /** Returns false when the run is not under way any more. */
  finish(run: CronActive, end: CronEnd): boolean {
    if (!this.#remove(run)) return false
    this.records.push(recordOf(run, end))
    return true
  }

  /** The run has ended without a word: its right is gone from the store. */
  interrupt(run: CronActive): void {
    if (!this.#remove(run)) return
    const { definition, waiting } = this.#state
    this.records.push(recordOf(run, { outcome: 'interrupted' }))
    if (definition.delivery !== 'at-least-once' || run.attempt >= definition.attemptsMax) return
    const { id, kind, scheduledMs, missed } = run
    this.#set({ waiting: [{ id, kind, scheduledMs, missed, attempt: run.attempt + 1 }, ...waiting] })
  }

  /** Returns false when as many wait as may. */
  runNow(id: string, nowMs: number): boolean {
    const { waiting, definition } = this.#state
    if (waiting.length >= Math.max(definition.runsMax, definition.missedMax)) return false
    this.#enqueue({ id, kind: 'manual', scheduledMs: nowMs, attempt: 1, missed: 0 })
    return true
  }

  /** What comes while it is paused is neither run nor missed. Runs under way go on. */
  pause(pause: CronPause): void {
    if (this.#state.paused === undefined) this.#set({ paused: pause })
  }

  /** Goes on with the first occurrence after `nowMs`, also where the clock had run ahead. */
  resume(nowMs: number): void {
    const { paused: _, ...state } = this.#state
    this.#state = { ...state, decidedUntilMs: nowMs }
    this.#isChanged = true
  }

  /** From now on it is this schedule. What came until now by the former times is decided by them. */
  redefine(definition: CronDefinition, times: CronTimes, nowMs: number): void {
    const former = this.#state.definition
    if (!isSameTimes(former, definition)) {
      this.decide(times, nowMs)
      this.#set({ decidedUntilMs: Math.max(this.#state.decidedUntilMs, nowMs) })
    }
    this.#set({ definition })
  }

  #decideMissed(late: readonly number[], prompt: readonly number[]): void {
    const { missed, missedMax } = this.#state.definition
    const last = late.at(-1)
    if (last === undefined) return
    if (missed === 'run-all') {
      const tooMany = Math.max(0, late.length - missedMax)
      this.#recordUnrun('missed', late.slice(0, tooMany))
      for (const atMs of late.slice(tooMany)) this.#enqueue(pendingAt(atMs, 'missed', 0))
    } else if (missed === 'skip') {
      this.#recordUnrun('missed', late)
    } else if (prompt.length === 0 && this.#state.waiting.length === 0) {
      this.#enqueue(pendingAt(last, 'missed', late.length - 1))
    } else if (prompt.length === 0) {
      this.#recordUnrun('missed', late)
    }
  }

  #admit(atMs: number, lateBefore: number): boolean {
    const { definition, waiting, running } = this.#state
    const { overlap, runsMax, missed } = definition
    const busy = waiting.length + running.length
    const isFull = { skip: busy > 0, queue: waiting.length >= runsMax, allow: busy >= runsMax }
    if (isFull[overlap]) return false
    this.#enqueue(pendingAt(atMs, 'scheduled', missed === 'run-once' ? lateBefore : 0))
    return true
  }

  #enqueue(pending: CronPending): void {
    this.#set({ waiting: [...this.#state.waiting, pending] })
  }

  #recordUnrun(outcome: 'missed' | 'skipped', times: readonly number[]): void {
    const last = times.at(-1)
    if (last === undefined) return
    const kind = outcome === 'missed' ? 'missed' : 'scheduled'
    this.records.push({ id: timeText(last), kind, scheduledMs: last, outcome, count: times.length })
    this.#isChanged = true
  }

  #remove(run: CronActive): boolean {
    const running = this.#state.running.filter((each) => each.id !== run.id || each.attempt !== run.attempt)
    if (running.length === this.#state.running.length) return false
    this.#set({ running })
    return true
  }

  #set(part: Partial<CronState>): void {
    this.#state = { ...this.#state, ...part }
    this.#isChanged = true
  }
}

/** Nothing before `nowMs` has ever been an occurrence of it. */
export function newCronState(definition: CronDefinition, nowMs: number): CronState {
  return { definition, decidedUntilMs: nowMs, waiting: [], running: [], records: 0 }
}

export function isSameDefinition(a: CronDefinition, b: CronDefinition): boolean {
  const sorted = (definition: CronDefinition): string => JSON.stringify(Object.entries(definition).toSorted())
  return sorted(a) === sorted(b)
}

function isSameTimes(a: CronDefinition, b: CronDefinition): boolean {
  return a.schedule === b.schedule && a.everyMs === b.everyMs && a.timeZone === b.timeZone
}

function pendingAt(scheduledMs: number, kind: CronRunKind, missed: number): CronPending {
  return { id: timeText(scheduledMs), kind, scheduledMs, attempt: 1, missed }
}

function recordOf(run: CronActive, end: CronEnd): CronRecord {
  const { id, kind, scheduledMs, attempt, by, startedMs, missed } = run
  return { id, kind, scheduledMs, attempt, by, startedMs, count: missed + 1, ...end }
}
