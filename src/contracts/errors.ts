/**
 * Every code that an Althing error can carry, and whether the same call may be tried again as it is. `docs/errors.md`
 * has a section for each; a test compares the two.
 */
export const errorCodes = {
  /** An argument, option or field is not allowed. The message names it, the value given and what is allowed. */
  'invalid-argument': { retryable: false },
  /** The caller's `AbortSignal` fired. */
  aborted: { retryable: false },
  /** No answer within the time given. */
  timeout: { retryable: true },
  /** No node can serve the call now: no leader, no quorum, or nothing reachable. */
  unavailable: { retryable: true },
  /** A bound was reached (queue, window, uncommitted bytes). */
  overloaded: { retryable: true },
  /** The object on which the call was made has been closed. */
  closed: { retryable: false },
  /** A key, value, transaction or message is over its limit. */
  'too-large': { retryable: false },
  /** The revision asked for has been compacted away. `details.compactRevision` tells the oldest that can be read. */
  compacted: { retryable: false },
  /** The revision asked for lies in the future of the store. */
  'future-revision': { retryable: false },
  /** The lease does not exist: never granted, revoked, or expired. */
  'lease-not-found': { retryable: false },
  /** The client's session is not known to the store (it was evicted), so a retry could be applied twice. */
  'session-expired': { retryable: false },
  /** The fencing token is older than the one the store has seen: the right has passed to another holder. */
  'stale-token': { retryable: false },
  /** A lock, leadership or registration that was held is held no more. The message names the cause. */
  lost: { retryable: false },
  /** What was asked for exists already with another content or owner. */
  conflict: { retryable: false },
  /** There is nothing of that name. */
  'not-found': { retryable: false },
  /** The engine does not give a guarantee that the recipe needs, and the caller did not accept the weaker one. */
  'missing-guarantee': { retryable: false },
  /** The peer speaks another protocol or version, or belongs to another cluster. */
  'incompatible-peer': { retryable: false },
  /** Data on disk or from the wire fails its checksum or its form. Nothing was skipped and nothing was deleted. */
  corrupt: { retryable: false },
  /** A write or sync of the node's disk failed. Fatal for the node: it stops and must be restarted. */
  'disk-failed': { retryable: false },
  /** The node has failed and serves nothing any more; `cause` says why. Other nodes are not concerned. */
  'node-failed': { retryable: false },
  /** The caller may not do this. */
  'permission-denied': { retryable: false },
  /** The caller has not shown who it is, or what it showed (a token, a password, a certificate) is not valid, or valid no more. */
  unauthenticated: { retryable: false },
  /** The store has reached its quota, or the node's disk is all but full: only reads and what makes room (deletes, compaction) are served. */
  'no-space': { retryable: false },
  /** The node has been removed from the cluster: it stops and must not come back under the same id. */
  'not-member': { retryable: false },
  /** The answer does not have the form the protocol states: a defect of Althing, please report it. */
  internal: { retryable: false },
} as const satisfies Readonly<Record<string, { readonly retryable: boolean }>>

export type ErrorCode = keyof typeof errorCodes

/**
 * For a mutating call that failed: `'none'`, it was not and will not be applied; `'unknown'`, it may have been applied,
 * or may be applied later.
 */
export type Outcome = 'none' | 'unknown'

export interface AlthingErrorOptions {
  readonly outcome?: Outcome
  readonly cause?: unknown
  /** Overrides the code's own answer to "may the same call be tried again?". */
  readonly retryable?: boolean
  /** Plain JSON values that say more: limits, revisions, names. */
  readonly details?: Readonly<Record<string, unknown>>
}

const brand = Symbol.for('althing.error')

/**
 * The one error class of Althing. Recognise it with {@link isAlthingError} and decide by `code`, never by message text.
 */
export class AlthingError extends Error {
  override readonly name = 'AlthingError'
  readonly [brand] = true
  readonly code: ErrorCode
  readonly retryable: boolean
  readonly outcome: Outcome | undefined
  readonly details: Readonly<Record<string, unknown>> | undefined

  constructor(code: ErrorCode, message: string, options: AlthingErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.retryable = options.retryable ?? errorCodes[code].retryable
    this.outcome = options.outcome
    this.details = options.details
  }

  /** Plain JSON: errors cross processes. The inverse of {@link errorFromJson}. */
  toJSON(): ErrorJson {
    return {
      code: this.code,
      message: this.message,
      retryable: this.retryable,
      ...(this.outcome === undefined ? {} : { outcome: this.outcome }),
      ...(this.details === undefined ? {} : { details: this.details }),
    }
  }
}

export interface ErrorJson {
  readonly code: ErrorCode
  readonly message: string
  readonly retryable: boolean
  readonly outcome?: Outcome
  readonly details?: Readonly<Record<string, unknown>>
}

/** Works across copies of the package, where `instanceof` would not. */
export function isAlthingError(error: unknown, code?: ErrorCode): error is AlthingError {
  if (typeof error !== 'object' || error === null || !(brand in error)) return false
  return code === undefined || (error as AlthingError).code === code
}

/** What came from elsewhere is taken as far as it is what it should be. */
export function errorFromJson(json: ErrorJson): AlthingError {
  const { outcome, details, retryable } = json
  const message: unknown = json.message
  const code = Object.hasOwn(errorCodes, json.code) ? json.code : 'internal'
  return new AlthingError(code, String(message), {
    retryable: typeof retryable === 'boolean' ? retryable : errorCodes[code].retryable,
    ...(outcome === 'none' || outcome === 'unknown' ? { outcome } : {}),
    ...(typeof details === 'object' && details !== null ? { details } : {}),
  })
}

/** The same failure, with `outcome` stated: for a layer that knows better than the one below what may have happened. */
export function withOutcome(error: AlthingError, outcome: Outcome): AlthingError {
  if (error.outcome === outcome) return error
  return new AlthingError(error.code, error.message, {
    outcome,
    cause: error.cause,
    retryable: error.retryable,
    ...(error.details === undefined ? {} : { details: error.details }),
  })
}

/** `invalid-argument` in its one form: what is wrong, what was given, what is allowed. Nothing has been changed. */
export function invalidArgument(field: string, given: unknown, allowed: string): AlthingError {
  const shown = show(given)
  const cut = shown.length > 120 ? `${shown.slice(0, 117)}...` : shown
  return new AlthingError('invalid-argument', `${field} is ${cut}, but must be ${allowed}`, {
    outcome: 'none',
    details: { field },
  })
}

/** Any failure as an `AlthingError`: a foreign one becomes `internal`, with outcome unknown. */
export function asAlthingError(error: unknown): AlthingError {
  if (isAlthingError(error)) return error
  const message = error instanceof Error ? error.message : String(error)
  return new AlthingError('internal', message, { cause: error, outcome: 'unknown' })
}

function show(value: unknown): string {
  if (typeof value === 'bigint') return `${value}n`
  try {
    return JSON.stringify(value) ?? String(value)
  } catch {
    // A circle, or a getter that throws: its kind must do.
    return Object.prototype.toString.call(value)
  }
}
