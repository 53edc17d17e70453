import { AlthingError, type ErrorCode, isAlthingError, type Outcome } from '../../contracts/errors.ts'

type Meaning = readonly [code: ErrorCode, outcome: Outcome]

/** By JetStream's own numbers of errors. `none` stands only where the server refuses before anything is stored. */
const apiErrors: Readonly<Record<number, Meaning>> = {
  // JetStream is not enabled: in the server, or for the account.
  10_076: ['incompatible-peer', 'none'],
  10_039: ['incompatible-peer', 'none'],
  // Insufficient resources; too many streams or consumers; storage resources exceeded.
  10_023: ['no-space', 'none'],
  10_026: ['no-space', 'none'],
  10_027: ['no-space', 'none'],
  10_028: ['no-space', 'none'],
  10_047: ['no-space', 'none'],
  10_002: ['no-space', 'none'],
  // A stream that has its maximum of bytes or messages.
  10_077: ['no-space', 'none'],
  10_054: ['too-large', 'none'],
  10_059: ['not-found', 'none'],
  10_071: ['conflict', 'none'],
  10_058: ['conflict', 'none'],
  10_065: ['conflict', 'none'],
  // No suitable peers for so many replicas; replicas without a cluster.
  10_005: ['unavailable', 'none'],
  10_074: ['invalid-argument', 'none'],
}

/** By the names that the client library gives its errors: several copies of it may be about. */
const clientErrors: Readonly<Record<string, Meaning>> = {
  TimeoutError: ['timeout', 'unknown'],
  // Nobody listens on the subject: the message went nowhere.
  NoResponders: ['unavailable', 'none'],
  JetStreamNotEnabled: ['unavailable', 'none'],
  AuthorizationError: ['unauthenticated', 'none'],
  UserAuthenticationExpiredError: ['unauthenticated', 'none'],
  PermissionViolationError: ['permission-denied', 'none'],
  ConnectionError: ['unavailable', 'unknown'],
  ClosedConnectionError: ['unavailable', 'unknown'],
  DrainingConnectionError: ['unavailable', 'unknown'],
  RequestError: ['unavailable', 'unknown'],
}

interface LibraryError {
  readonly name?: unknown
  readonly code?: unknown
  readonly message?: unknown
  readonly cause?: unknown
}

/** An error of the client library, or of the server that it passes on, in the contract's words. */
export function natsError(error: unknown): AlthingError {
  if (isAlthingError(error)) return error
  const { name, code, message, cause } = error as LibraryError
  const text = String(message)
  const [meaning, outcome] = meaningOf(String(name), code, text, cause)
  return new AlthingError(meaning, `NATS: ${text}`, {
    outcome,
    cause: error,
    ...(typeof code === 'number' ? { details: { code } } : {}),
  })
}

function meaningOf(name: string, code: unknown, text: string, cause: unknown): Meaning {
  if (typeof code === 'number' && apiErrors[code] !== undefined) return apiErrors[code]
  if (name === 'JetStreamApiError') return ['unavailable', 'unknown']
  if (text.includes('max_payload')) return ['too-large', 'none']
  const byCause = clientErrors[String((cause as LibraryError | undefined)?.name)]
  return (
    (name === 'RequestError' ? byCause : undefined) ??
    clientErrors[name] ??
    // What the operating system says of a socket.
    (typeof code === 'string' ? ['unavailable', 'unknown'] : ['internal', 'unknown'])
  )
}
