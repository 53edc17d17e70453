import type { AttemptFailure } from '../batch-queue.ts'
import { AlthingError, asAlthingError, type ErrorCode, isAlthingError } from '../../contracts/errors.ts'

/** What a failed attempt means. */
interface Meaning {
  readonly code: ErrorCode
  readonly isPassing?: boolean
  /** It may come from the middle of a script. */
  readonly isFromWithin?: boolean
}

/** By the first word of an error reply. With each of these nothing was done: they come before a script begins, or from its beginning. */
const meanings: Readonly<Record<string, Meaning>> = {
  LOADING: { code: 'unavailable', isPassing: true },
  BUSY: { code: 'unavailable', isPassing: true },
  TRYAGAIN: { code: 'unavailable', isPassing: true },
  CLUSTERDOWN: { code: 'unavailable', isPassing: true },
  MOVED: { code: 'unavailable', isPassing: true },
  ASK: { code: 'unavailable', isPassing: true },
  READONLY: { code: 'unavailable', isPassing: true },
  MASTERDOWN: { code: 'unavailable', isPassing: true },
  NOREPLICAS: { code: 'unavailable', isPassing: true },
  NOSCRIPT: { code: 'unavailable', isPassing: true },
  UNBLOCKED: { code: 'unavailable', isPassing: true },
  ALTHINGGONE: { code: 'corrupt' },
  ALTHINGOTHER: { code: 'corrupt' },
  ALTHINGLATE: { code: 'internal' },
  ALTHINGTYPE: { code: 'incompatible-peer' },
  OOM: { code: 'no-space' },
  MISCONF: { code: 'no-space' },
  NOAUTH: { code: 'unauthenticated' },
  WRONGPASS: { code: 'unauthenticated' },
  NOPERM: { code: 'permission-denied' },
}

/** By a part of the message, for errors that have no word of their own. */
const phrases: readonly (readonly [phrase: string, meaning: Meaning])[] = [
  ['max number of clients reached', { code: 'unavailable', isPassing: true }],
  ['invalid password', { code: 'unauthenticated' }],
  ['DB index is out of range', { code: 'not-found' }],
  ['unknown command', { code: 'permission-denied' }],
  ["user executing the script can't", { code: 'permission-denied', isFromWithin: true }],
]

/** The first word of what the server answered, where it answered with an error. */
export function replyCodeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || error.name !== 'ReplyError') return undefined
  return /^-?([A-Z]+)\b/.exec(error.message)?.[1] ?? 'ERR'
}

/** A failure of the library or of the server. `wasSent`: the command had left for the server. */
export function failureOf(error: unknown, wasSent: boolean): AttemptFailure {
  if (isAlthingError(error))
    return {
      error,
      isPassing: error.code === 'unavailable' || error.code === 'overloaded',
      isAmbiguous: wasSent && error.outcome !== 'none',
    }
  const message = error instanceof Error ? error.message : String(error)
  const word = replyCodeOf(error)
  if (word !== undefined) {
    const meaning = meanings[word] ?? phrases.find(([phrase]) => message.includes(phrase))?.[1]
    const said = new AlthingError(meaning?.code ?? 'internal', `Redis answers: ${message}`, {
      cause: error,
      details: { reply: word },
    })
    // A script that fails otherwise may have done something before.
    return {
      error: said,
      isPassing: meaning?.isPassing === true,
      isAmbiguous: wasSent && (meaning === undefined || meaning.isFromWithin === true),
    }
  }
  // A defect on this side says nothing of the connection.
  if (error instanceof TypeError || error instanceof RangeError)
    return { error: asAlthingError(error), isPassing: false, isAmbiguous: wasSent }
  const lost = new AlthingError('unavailable', `Redis cannot be reached: ${message}`, { cause: error })
  // So says the library of what it did not write to a connection.
  const wasHeldBack = message.includes('enableOfflineQueue')
  return { error: lost, isPassing: true, isAmbiguous: wasSent && !wasHeldBack }
}

/** The connection that gave this answer leads to the wrong server. */
export function isOfWrongServer(error: unknown): boolean {
  return ['READONLY', 'MASTERDOWN', 'LOADING'].includes(replyCodeOf(error) ?? '')
}
