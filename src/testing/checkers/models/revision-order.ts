import { canonicalNull } from '../canonical-value.ts'
import type { DecodedOperation, WholeHistoryFault } from '../sequential-model.ts'
import type { VersionedOp } from './versioned-kv.ts'

/** Number of the first of `ops`, one key's in this order, that cannot have had its result; `undefined` when all can. */
export type KeyReplay = (ops: readonly VersionedOp[]) => number | undefined

/** Revisions of the store at which an operation can have taken effect, both included. */
interface Span {
  readonly decoded: DecodedOperation<VersionedOp>
  readonly min: number
  readonly max: number
}

/**
 * Judges the order of revisions over all keys: each change made a revision of its own, and whatever returned before another operation was called took effect at no
 * later a revision. Each operation can only have taken effect within a span of revisions (a change: at its own; a read: from the change that it saw to before the next change of the key, or at
 * the store's revision that it was told); real time must be able to go through the spans without going back. Needs no search: the order of
 * changes is given (Gibbons & Korach 1997: with the write order given, verification is polynomial). O(n log n).
 *
 * Spans use the changes whose revision the history tells; one that it does not tell can only make a span smaller, so that nothing right is refused.
 */
export function findRevisionFault(
  operations: readonly DecodedOperation<VersionedOp>[],
  replay: KeyReplay,
): WholeHistoryFault | undefined {
  const changes = operations.filter(({ op }) => op.type === 'change' && op.revision !== undefined)
  const twice = findRevisionTwice(changes)
  if (twice !== undefined) return twice
  const byKey = revisionsByKey(changes)
  return (
    findReadOutOfPlace(operations, byKey) ??
    replayByRevision(operations, replay) ??
    findStepBack(toSpans(operations, byKey))
  )
}

function findRevisionTwice(changes: readonly DecodedOperation<VersionedOp>[]): WholeHistoryFault | undefined {
  const seen = new Map<number, DecodedOperation<VersionedOp>>()
  for (const decoded of changes) {
    const revision = revisionMade(decoded.op)
    const other = seen.get(revision)
    if (other !== undefined) {
      return {
        message: `revision ${revision} was given to two changes`,
        operations: [other.operation, decoded.operation],
      }
    }
    seen.set(revision, decoded)
  }
  return undefined
}

/** A read that tells the store's revision must show the newest change of its key up to there. */
function findReadOutOfPlace(
  operations: readonly DecodedOperation<VersionedOp>[],
  byKey: ReadonlyMap<string, readonly number[]>,
): WholeHistoryFault | undefined {
  for (const { operation, op } of operations) {
    if (op.type !== 'get' || op.storeRevision === undefined || op.modRevision === undefined) continue
    if (op.value === canonicalNull) continue
    const next = firstAbove(byKey.get(op.key) ?? [], op.modRevision) ?? Number.POSITIVE_INFINITY
    if (op.modRevision <= op.storeRevision && op.storeRevision < next) continue
    const shows = `shows the change of revision ${op.modRevision}`
    return {
      message: `a read at store revision ${op.storeRevision} ${shows}, which is not the newest there`,
      operations: [operation],
    }
  }
  return undefined
}

/** Where every change of a key tells its revision, those operations that tell one can be gone through in its order. */
function replayByRevision(
  operations: readonly DecodedOperation<VersionedOp>[],
  replay: KeyReplay,
): WholeHistoryFault | undefined {
  const byKey = new Map<string, DecodedOperation<VersionedOp>[]>()
  const hidden = new Set<string>()
  for (const decoded of operations) {
    const { op } = decoded
    if (op.type === 'change' && op.applied !== false && op.revision === undefined) hidden.add(op.key)
    if (op.storeRevision === undefined) continue
    const known = byKey.get(op.key)
    if (known === undefined) byKey.set(op.key, [decoded])
    else known.push(decoded)
  }
  for (const [key, known] of byKey) {
    if (hidden.has(key)) continue
    known.sort((a, b) => (a.op.storeRevision ?? 0) - (b.op.storeRevision ?? 0) || made(b) - made(a))
    const wrong = known[replay(known.map(({ op }) => op)) ?? -1]
    if (wrong === undefined) continue
    const message = `at store revision ${wrong.op.storeRevision} the key cannot have given this result`
    return { message, operations: [wrong.operation] }
  }
  return undefined
}

/** 1 for a change that was made, which comes before what was seen at its revision. */
function made({ op }: DecodedOperation<VersionedOp>): number {
  return op.type === 'change' && op.applied === true ? 1 : 0
}

function revisionsByKey(changes: readonly DecodedOperation<VersionedOp>[]): Map<string, number[]> {
  const byKey = new Map<string, number[]>()
  for (const { op } of changes) {
    const revisions = byKey.get(op.key)
    if (revisions === undefined) byKey.set(op.key, [revisionMade(op)])
    else revisions.push(revisionMade(op))
  }
  for (const revisions of byKey.values()) revisions.sort((a, b) => a - b)
  return byKey
}

function revisionMade(op: VersionedOp): number {
  return op.type === 'change' ? (op.revision ?? 0) : 0
}

function toSpans(
  operations: readonly DecodedOperation<VersionedOp>[],
  byKey: ReadonlyMap<string, readonly number[]>,
): Span[] {
  const spans: Span[] = []
  for (const decoded of operations) {
    if (decoded.operation.outcome !== 'ok') continue
    const { op } = decoded
    const exact = op.type === 'change' ? (op.revision ?? op.storeRevision) : op.storeRevision
    if (exact !== undefined) spans.push({ decoded, min: exact, max: exact })
    else if (op.type === 'get' && op.value !== canonicalNull && op.modRevision !== undefined) {
      const next = firstAbove(byKey.get(op.key) ?? [], op.modRevision)
      spans.push({
        decoded,
        min: op.modRevision,
        max: next === undefined ? Number.POSITIVE_INFINITY : next - 1,
      })
    }
  }
  return spans
}

/** Smallest of the ascending `numbers` that is greater than `bound`. */
function firstAbove(numbers: readonly number[], bound: number): number | undefined {
  let low = 0
  let high = numbers.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((numbers[middle] as number) > bound) high = middle
    else low = middle + 1
  }
  return numbers[low]
}

function isChange({ decoded: { op } }: Span): boolean {
  return op.type === 'change' && op.revision !== undefined
}

/** Goes through calls and returns in time, with the highest revision that real time has surely passed. */
function findStepBack(spans: readonly Span[]): WholeHistoryFault | undefined {
  const byCall = [...spans].sort((a, b) => a.decoded.operation.calledAt - b.decoded.operation.calledAt)
  const byReturn = [...spans].sort((a, b) => a.decoded.operation.returnedAt - b.decoded.operation.returnedAt)
  let passed: { readonly revision: number; readonly by: Span } | undefined
  let returned = 0
  for (const span of byCall) {
    const { operation } = span.decoded
    for (; returned < byReturn.length; returned++) {
      const earlier = byReturn[returned] as Span
      if (earlier.decoded.operation.returnedAt >= operation.calledAt) break
      if (passed === undefined || earlier.min > passed.revision)
        passed = { revision: earlier.min, by: earlier }
    }
    // A change makes a revision that was not there before it, so it must lie above all that has been passed.
    const limit = isChange(span) ? span.max - 1 : span.max
    if (passed !== undefined && passed.revision > limit) {
      const seen = `took effect at revision ${span.max} at the latest`
      return {
        message: `an operation ${seen}, but was called after another had returned from revision ${passed.revision}`,
        operations: [passed.by.decoded.operation, operation],
      }
    }
  }
  return undefined
}
