import { AlthingError } from '../../contracts/errors.ts'
import type { Operation } from '../history/operation.ts'
import { type CanonicalValue, canonicalValue } from './canonical-value.ts'
import { FindingsCollector, type FindingsResult } from './verdict.ts'

export interface SetFullOptions {
  /** Also refuse reads that miss an element known before them, though later reads show it. Default true. */
  readonly isStaleRefused?: boolean
}

export interface SetFullResult extends FindingsResult {
  readonly added: number
  /** Elements whose addition succeeded, or that a read showed, and that every later read misses. */
  readonly lost: number
  /** Elements that a read missed after they were known, and a later read showed. */
  readonly stale: number
  /** From when a stale element was known to the last read that missed it, in the history's unit of time. */
  readonly staleTimeMax: number
  /** Elements added that no read began late enough to show or to miss. */
  readonly neverRead: number
}

interface Element {
  readonly value: CanonicalValue
  /** When it was surely in the set: at the return of its addition, or of the first read that showed it. */
  knownAt: number
  lastShownAt: number
  lastMissedAt: number
  isShown: boolean
}

/**
 * Judges a growing set (operations `add` with an element and `read` of the whole): nothing added is lost, nothing is read that was not added, no element is read twice in one read. Each
 * element is added once. O(adds × reads), so up to millions of pairs.
 */
export function checkSetFull(operations: readonly Operation[], options: SetFullOptions = {}): SetFullResult {
  const { isStaleRefused = true } = options
  const findings = new FindingsCollector()
  const reads = readsOf(operations)
  const elements = elementsOf(operations)
  for (const { values, operation } of reads) noteShown(values, operation, elements, findings)
  for (const { values, operation } of reads) {
    for (const element of elements.values()) {
      if (operation.calledAt > element.knownAt && !values.has(element.value)) {
        element.lastMissedAt = Math.max(element.lastMissedAt, operation.calledAt)
      }
    }
  }
  const result = { lost: 0, stale: 0, staleTimeMax: 0, neverRead: 0 }
  for (const element of elements.values()) {
    const { value, knownAt, lastMissedAt, lastShownAt } = element
    if (lastMissedAt > Math.max(knownAt, lastShownAt)) {
      result.lost += 1
      findings.add(
        'lost',
        `element ${value}, known at ${knownAt}, is missing at ${lastMissedAt} and never seen again`,
      )
    } else if (lastMissedAt > knownAt) {
      result.stale += 1
      result.staleTimeMax = Math.max(result.staleTimeMax, lastMissedAt - knownAt)
      if (isStaleRefused)
        findings.add('stale', `element ${value}, known at ${knownAt}, was missed at ${lastMissedAt}`)
    } else if (!element.isShown) {
      result.neverRead += 1
    }
  }
  return { ...findings.result(), ...result, added: elements.size }
}

interface Read {
  readonly operation: Operation
  readonly values: ReadonlySet<CanonicalValue>
}

function readsOf(operations: readonly Operation[]): Read[] {
  return operations
    .filter(({ op, outcome }) => op === 'read' && outcome === 'ok')
    .map((operation) => {
      const { output } = operation
      if (!Array.isArray(output)) {
        const message = `the read of process ${operation.process} at ${operation.calledAt} has no list as its result`
        throw new AlthingError('invalid-argument', message)
      }
      return { operation, values: new Set(output.map(canonicalValue)) }
    })
}

function elementsOf(operations: readonly Operation[]): Map<CanonicalValue, Element> {
  const elements = new Map<CanonicalValue, Element>()
  for (const { op, input, outcome, returnedAt } of operations) {
    if (op !== 'add' || outcome === 'fail') continue
    const value = canonicalValue(input)
    const knownAt = Math.min(returnedAt, elements.get(value)?.knownAt ?? Number.POSITIVE_INFINITY)
    const never = Number.NEGATIVE_INFINITY
    elements.set(value, { value, knownAt, lastShownAt: never, lastMissedAt: never, isShown: false })
  }
  return elements
}

function noteShown(
  values: ReadonlySet<CanonicalValue>,
  operation: Operation,
  elements: ReadonlyMap<CanonicalValue, Element>,
  findings: FindingsCollector,
): void {
  const where = `the read of process ${operation.process} at ${operation.calledAt}`
  if (Array.isArray(operation.output) && operation.output.length > values.size) {
    findings.add('duplicate', `${where} shows an element twice`)
  }
  for (const value of values) {
    const element = elements.get(value)
    if (element === undefined) {
      findings.add('unexpected', `${where} shows ${value}, which was never added`)
      continue
    }
    element.isShown = true
    element.lastShownAt = Math.max(element.lastShownAt, operation.calledAt)
    element.knownAt = Math.min(element.knownAt, operation.returnedAt)
  }
}
