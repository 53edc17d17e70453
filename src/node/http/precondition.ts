import { byteStringFromText } from '../../base/bytes.ts'
import { AlthingError, invalidArgument } from '../../contracts/errors.ts'
import type { Compare, TxnReply } from '../../contracts/store.ts'

/** What must hold of a key for a write to be done. */
export interface Precondition {
  readonly compare: readonly Compare[]
  /** Said by a header: a mismatch is then status 412, as HTTP has it, and 409 otherwise. */
  readonly isHeader: boolean
  readonly expected: string
}

const etag = /^"(\d{1,16})"$/

/** From `ifRevision`, `If-Match` or `If-None-Match`, of which at most one may be given. Throws `invalid-argument`. */
export function preconditionOf(key: string, ifRevision: number | undefined, headers: Headers): Precondition {
  const ifMatch = headers.get('if-match')
  const ifNoneMatch = headers.get('if-none-match')
  const given = [ifRevision, ifMatch ?? undefined, ifNoneMatch ?? undefined].filter(
    (each) => each !== undefined,
  )
  if (given.length > 1)
    throw invalidArgument('ifRevision', given, 'given once: as ifRevision, If-Match or If-None-Match')
  if (ifRevision !== undefined) return revisionIs(key, ifRevision, false)
  if (ifNoneMatch !== null) {
    if (ifNoneMatch !== '*') throw invalidArgument('If-None-Match', ifNoneMatch, '*')
    return revisionIs(key, 0, true)
  }
  if (ifMatch !== null) return matches(key, ifMatch)
  return { compare: [], isHeader: false, expected: '' }
}

function matches(key: string, ifMatch: string): Precondition {
  if (ifMatch === '*') {
    return {
      compare: [{ target: 'createRevision', key: byteStringFromText(key), op: '>', value: 0 }],
      isHeader: true,
      expected: 'that it exists',
    }
  }
  const revision = etag.exec(ifMatch)?.[1]
  if (revision === undefined)
    throw invalidArgument('If-Match', ifMatch, '"REVISION" (the ETag of the item) or *')
  return revisionIs(key, Number(revision), true)
}

function revisionIs(key: string, revision: number, isHeader: boolean): Precondition {
  return {
    compare: [{ target: 'modRevision', key: byteStringFromText(key), op: '=', value: revision }],
    isHeader,
    expected: revision === 0 ? 'that it did not exist' : `that its revision was still ${revision}`,
  }
}

/** Throws `conflict` when the condition did not hold. */
export function assertPrecondition(precondition: Precondition, reply: TxnReply, key: string): void {
  if (reply.succeeded) return
  throw new AlthingError('conflict', `${key} was not changed: the condition was ${precondition.expected}`, {
    outcome: 'none',
    details: { key, ...(precondition.isHeader ? { httpStatus: 412 } : {}) },
  })
}
