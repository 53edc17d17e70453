import { AlthingError } from '../../contracts/errors.ts'
import { leaseNotFound } from '../../models/store/txn.ts'

/** As the functions in the server say it. */
export interface Refusal {
  readonly refused: string
  readonly lease?: number
  readonly limit?: number
  readonly asked?: number
  readonly newest?: number
  readonly compactRevision?: number
}

export function isRefusal(reply: object): reply is Refusal {
  return 'refused' in reply
}

/** Nothing has been changed. */
export function refusalError(refusal: Refusal): AlthingError {
  const { refused, lease = 0, limit = 0, asked = 0, newest = 0, compactRevision = 0 } = refusal
  switch (refused) {
    case 'lease-not-found':
      return leaseNotFound(lease)
    case 'compacted':
      return compactedError(asked, compactRevision)
    case 'future-revision':
      return futureRevisionError(asked, newest)
    case 'too-large':
      return new AlthingError(
        'too-large',
        `the previous versions asked for exceed ${limit} bytes: ask for fewer, or delete a smaller range`,
        { outcome: 'none', details: { limit } },
      )
    default:
      return new AlthingError('internal', `the server refuses with an unknown reason: ${refused}`, {
        outcome: 'none',
      })
  }
}

export function compactedError(revision: number, compactRevision: number): AlthingError {
  return new AlthingError(
    'compacted',
    `revision ${revision} has been compacted away: the oldest that can be read is ${compactRevision}`,
    { outcome: 'none', details: { compactRevision } },
  )
}

export function futureRevisionError(revision: number, newest: number): AlthingError {
  return new AlthingError(
    'future-revision',
    `revision ${revision} is not there yet: the newest is ${newest}`,
    {
      outcome: 'none',
      details: { revision: newest },
    },
  )
}
