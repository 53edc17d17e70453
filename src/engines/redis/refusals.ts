import { AlthingError } from '../../contracts/errors.ts'
import { leaseNotFound } from '../../models/store/txn.ts'

/** What a script refuses: `[name, numbers...]`. */
export type Refusal = readonly [Buffer, ...number[]]

export function isRefusal(reply: unknown): reply is Refusal {
  return Array.isArray(reply) && Buffer.isBuffer(reply[0])
}

/** Nothing has been changed. */
export function refusalError([name, first = 0, second = 0]: Refusal): AlthingError {
  switch (name.toString()) {
    case 'lease-not-found':
      return leaseNotFound(first)
    case 'compacted':
      return compactedError(first, second)
    case 'future-revision':
      return futureRevisionError(first, second)
    case 'too-large':
      return refused(
        'too-large',
        `the previous versions asked for exceed ${first} bytes: ask for fewer, or delete a smaller range`,
        { limit: first },
      )
    case 'too-many':
      return refused(
        'too-large',
        `the transaction would delete ${first} keys, but at most ${second} are allowed here: delete smaller ranges`,
        { limit: second },
      )
    case 'too-far':
      return refused(
        'too-large',
        `a transaction cannot read at revision ${first}: there are more than ${second} newer ones. Read it by itself`,
        { limit: second },
      )
    case 'lease-full':
      return refused('no-space', `lease ${first} has ${second} keys, the most allowed`, { limit: second })
    case 'too-many-leases':
      return refused('no-space', `there are ${first} leases, the most allowed`, { limit: first })
    case 'no-space':
      return refused(
        'no-space',
        'the memory of the server is full (maxmemory): delete keys, compact, or give it more',
        {},
      )
    default:
      return refused('internal', `the server refuses with an unknown reason: ${name.toString()}`, {})
  }
}

export function compactedError(revision: number, compactRevision: number): AlthingError {
  return refused(
    'compacted',
    `revision ${revision} has been compacted away: the oldest that can be read is ${compactRevision}`,
    { compactRevision },
  )
}

export function futureRevisionError(revision: number, newest: number): AlthingError {
  return refused('future-revision', `revision ${revision} is not there yet: the newest is ${newest}`, {
    revision: newest,
  })
}

function refused(
  code: 'compacted' | 'future-revision' | 'too-large' | 'no-space' | 'internal',
  message: string,
  details: Readonly<Record<string, number>>,
): AlthingError {
  return new AlthingError(code, message, { outcome: 'none', details })
}
