import { invalidArgument } from '../../contracts/errors.ts'
import type { Clock } from '../../contracts/world.ts'
import type { Operation } from '../history/operation.ts'
import { LinearizationSearch, type SearchVerdict } from './linearization-search.ts'
import type { DecodedOperation, SequentialModel } from './sequential-model.ts'
import type { Verdict } from './verdict.ts'

export interface LinearizabilityOptions {
  /** Measures the time limit. */
  readonly clock: Pick<Clock, 'monotonicMs'>
  /** Default 60,000. */
  readonly timeLimitMs?: number
  /** Of what the searches remember, in 32-bit words, about. Past it the verdict is `unknown`. Default 128 Mi words (512 MiB). */
  readonly memoryWordsMax?: number
  /** Called about every {@link sliceSteps} steps. */
  readonly onProgress?: (progress: CheckProgress) => void
}

export interface CheckProgress {
  readonly partsDone: number
  readonly parts: number
  readonly steps: number
}

export interface LinearizabilityResult {
  /** `unknown` is not `ok`: a gate must treat it as a failure to judge. */
  readonly verdict: Verdict
  /** For `unknown`: which bound was reached. */
  readonly reason?: string
  readonly model: string
  /** Operations judged; failed ones, which had no effect, are left out. */
  readonly operations: number
  readonly parts: number
  readonly steps: number
  readonly elapsedMs: number
  readonly violation?: LinearizabilityViolation
}

export interface LinearizabilityViolation {
  /** Name of the part that cannot be explained: its key, for most models. */
  readonly part: string
  /** All operations of the part. */
  readonly operations: readonly Operation[]
  /** The longest order found, in which each operation had the result it had. */
  readonly longest: readonly Operation[]
  /** The state at the end of it, for people. */
  readonly stateAfterLongest: string
  /** The operation that must be placed next, and cannot. */
  readonly blocked: Operation | undefined
  readonly message: string
}

interface Part<State, Op> {
  readonly name: string
  readonly operations: readonly DecodedOperation<Op>[]
  readonly search: LinearizationSearch<State, Op>
}

/** Steps between two looks at the clock. */
const sliceSteps = 16_384
/** The budgets of a part in its first turn, and how much more it gets in each turn after. */
const firstBudgetSteps = 16_384
const budgetGrowth = 4
const timeLimitMsDefault = 60_000
const memoryWordsMaxDefault = 128 * 1024 * 1024

/**
 * Judges whether `operations` are linearizable (Herlihy & Wing 1990) with respect to `model`: whether each can be given one moment between
 * its call and its return so that the model, going through them in that order, gives the results seen.
 *
 * The parts of the history (see {@link SequentialModel.partition}) take turns with growing budgets, so that one that is hard to judge does
 * not hide one that is plainly wrong. Throws `invalid-argument` when the history is not one of the model.
 */
export function checkLinearizability<State, Op>(
  model: SequentialModel<State, Op>,
  operations: readonly Operation[],
  options: LinearizabilityOptions,
): LinearizabilityResult {
  const startedAt = options.clock.monotonicMs()
  const judged = operations.filter((operation) => operation.outcome !== 'fail')
  const parts = createParts(model, judged)
  const finish = (verdict: Verdict, more: Partial<LinearizabilityResult> = {}): LinearizabilityResult => ({
    verdict,
    model: model.name,
    operations: judged.length,
    parts: parts.length,
    steps: parts.reduce((sum, { search }) => sum + search.steps, 0),
    elapsedMs: options.clock.monotonicMs() - startedAt,
    ...more,
  })
  const fault = model.checkWhole?.(parts.flatMap((part) => part.operations))
  if (fault !== undefined) return finish('violation', { violation: wholeViolation(fault) })
  const found = takeTurns(parts, startedAt, options)
  if (found.verdict === 'violation') return finish('violation', { violation: describe(model, found.part) })
  return finish(found.verdict, found.verdict === 'unknown' ? { reason: found.reason } : {})
}

/** Decodes, leaves out what cannot matter, and makes one search for each part. */
function createParts<State, Op>(
  model: SequentialModel<State, Op>,
  operations: readonly Operation[],
): Part<State, Op>[] {
  const named = model.partition?.(operations) ?? new Map([['', operations]])
  return [...named].map(([name, members]) => {
    const decoded = relevantOperations(model, members)
    return { name, operations: decoded, search: new LinearizationSearch(model, decoded) }
  })
}

/**
 * The operations of a part that its verdict depends on, decoded. Failed operations had no effect; of those of unknown outcome, observations and what
 * the model calls unobserved can be placed after everything else, and would only multiply the orders to try.
 */
export function relevantOperations<State, Op>(
  model: SequentialModel<State, Op>,
  operations: readonly Operation[],
): DecodedOperation<Op>[] {
  const decoded = operations
    .filter(({ outcome }) => outcome !== 'fail')
    .map((operation) => ({ operation, op: model.decode(operation) }))
    .filter(({ operation, op }) => operation.outcome === 'ok' || !model.isObservation(op))
    .sort((a, b) => a.operation.calledAt - b.operation.calledAt || a.operation.index - b.operation.index)
  const isUnobserved = model.unobserved?.(decoded)
  if (isUnobserved === undefined) return decoded
  return decoded.filter(({ operation, op }) => operation.outcome === 'ok' || !isUnobserved(op))
}

type Found<State, Op> =
  | { readonly verdict: 'ok' }
  | { readonly verdict: 'violation'; readonly part: Part<State, Op> }
  | { readonly verdict: 'unknown'; readonly reason: string }

function takeTurns<State, Op>(
  parts: readonly Part<State, Op>[],
  startedAt: number,
  options: LinearizabilityOptions,
): Found<State, Op> {
  const limits = new Limits(parts.length, startedAt, options)
  let running = parts
  for (let budget = firstBudgetSteps; running.length > 0; budget *= budgetGrowth) {
    const unfinished: Part<State, Op>[] = []
    for (const part of running) {
      const verdict = spend(part, budget, limits)
      if (verdict === 'violation') return { verdict, part }
      if (verdict === 'running') unfinished.push(part)
      const reason = limits.reached()
      const isLeft = unfinished.length > 0 || part !== running.at(-1)
      if (reason !== undefined && isLeft) return { verdict: 'unknown', reason }
    }
    running = unfinished
  }
  return { verdict: 'ok' }
}

/** Gives `part` up to `budget` steps, in slices. */
function spend<State, Op>(part: Part<State, Op>, budget: number, limits: Limits): SearchVerdict {
  const { search } = part
  let verdict: SearchVerdict = 'running'
  for (let spent = 0; spent < budget && verdict === 'running'; spent += sliceSteps) {
    const [steps, words] = [search.steps, search.memoryWords]
    verdict = search.run(sliceSteps)
    limits.spent(search.steps - steps, search.memoryWords - words)
    if (verdict !== 'running') limits.partDone()
    if (limits.reached() !== undefined) break
  }
  return verdict
}

/** What all searches together have used, and whether that is too much. */
class Limits {
  readonly #options: LinearizabilityOptions
  readonly #startedAt: number
  readonly #parts: number
  #partsDone = 0
  #steps = 0
  #words = 0
  #stepsLooked = 0
  #reason: string | undefined

  constructor(parts: number, startedAt: number, options: LinearizabilityOptions) {
    const { timeLimitMs } = options
    if (timeLimitMs !== undefined && !(timeLimitMs >= 0)) {
      throw invalidArgument('timeLimitMs', timeLimitMs, 'a number >= 0')
    }
    this.#options = options
    this.#startedAt = startedAt
    this.#parts = parts
  }

  spent(steps: number, words: number): void {
    this.#steps += steps
    this.#words += words
  }

  partDone(): void {
    this.#partsDone += 1
  }

  /** Looks at the clock once in {@link sliceSteps} steps. */
  reached(): string | undefined {
    if (this.#steps - this.#stepsLooked < sliceSteps) return this.#reason
    this.#stepsLooked = this.#steps
    const {
      clock,
      onProgress,
      timeLimitMs = timeLimitMsDefault,
      memoryWordsMax = memoryWordsMaxDefault,
    } = this.#options
    onProgress?.({ partsDone: this.#partsDone, parts: this.#parts, steps: this.#steps })
    if (clock.monotonicMs() - this.#startedAt >= timeLimitMs) {
      this.#reason = `the time limit of ${timeLimitMs} ms was reached`
    } else if (this.#words > memoryWordsMax) {
      this.#reason = `the memory bound of ${memoryWordsMax} words was reached`
    }
    return this.#reason
  }
}

function describe<State, Op>(
  model: SequentialModel<State, Op>,
  part: Part<State, Op>,
): LinearizabilityViolation {
  const { placed, blocked } = part.search.longest
  const state = placed.reduce<State>((before, { op }) => model.step(before, op) ?? before, model.initial)
  const where = part.name === '' ? '' : ` of ${part.name}`
  return {
    part: part.name,
    operations: part.operations.map(({ operation }) => operation),
    longest: placed.map(({ operation }) => operation),
    stateAfterLongest: model.describeState(state),
    blocked: blocked?.operation,
    message: `no order of the operations${where} gives the results seen`,
  }
}

function wholeViolation(fault: {
  message: string
  operations: readonly Operation[]
}): LinearizabilityViolation {
  return {
    part: '',
    operations: fault.operations,
    longest: [],
    stateAfterLongest: '',
    blocked: fault.operations.at(-1),
    message: fault.message,
  }
}
