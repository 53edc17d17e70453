import { AlthingError, type ErrorCode, type Outcome } from '../../contracts/errors.ts'
import type { GrpcFailure } from './grpc-library.ts'

type Meaning = readonly [code: ErrorCode, outcome: Outcome]

/**
 * What etcd's own refusals mean. They are told apart by their text: it is the only thing that tells them apart, part of etcd's interface, and what its own
 * clients go by. `none` stands where etcd refuses before the request enters its log, or the request is refused when it is applied.
 */
const refusals: readonly (readonly [text: string, ...Meaning])[] = [
  ['required revision has been compacted', 'compacted', 'none'],
  ['required revision is a future revision', 'future-revision', 'none'],
  ['requested lease not found', 'lease-not-found', 'none'],
  ['lease already exists', 'conflict', 'none'],
  ['too large lease TTL', 'invalid-argument', 'none'],
  ['database space exceeded', 'no-space', 'none'],
  ['request is too large', 'too-large', 'none'],
  ['too many operations in txn', 'too-large', 'none'],
  ['duplicate key given in txn', 'invalid-argument', 'none'],
  ['key is not provided', 'invalid-argument', 'none'],
  ['too many requests', 'overloaded', 'none'],
  ['etcdserver: no leader', 'unavailable', 'none'],
  ['rpc not supported for learner', 'unavailable', 'none'],
  ['request timed out', 'timeout', 'unknown'],
  ['leader changed', 'unavailable', 'unknown'],
  ['not leader', 'unavailable', 'unknown'],
  ['server stopped', 'unavailable', 'unknown'],
  ['not capable', 'incompatible-peer', 'none'],
  ['corrupt cluster', 'corrupt', 'none'],
  ['invalid auth token', 'unauthenticated', 'none'],
  ['auth store is old', 'unauthenticated', 'none'],
  ['authentication failed', 'unauthenticated', 'none'],
  ['user name is empty', 'unauthenticated', 'none'],
  ['authentication is not enabled', 'unauthenticated', 'none'],
  ['permission denied', 'permission-denied', 'none'],
  // The server's own bound on a request; the client's bound on an answer is worded without its prefix.
  ['grpc: received message larger', 'too-large', 'none'],
  ['larger than max', 'too-large', 'unknown'],
]

/** By gRPC's status code, for what has no text of etcd's. */
const statuses: Readonly<Record<number, Meaning>> = {
  1: ['unavailable', 'unknown'],
  3: ['invalid-argument', 'none'],
  4: ['timeout', 'unknown'],
  7: ['permission-denied', 'none'],
  8: ['overloaded', 'unknown'],
  12: ['incompatible-peer', 'none'],
  13: ['unavailable', 'unknown'],
  14: ['unavailable', 'unknown'],
  16: ['unauthenticated', 'none'],
}

/** A failed call at the member at `address`. The outcome is that of this one attempt. */
export function errorOf(failure: GrpcFailure, address: string): AlthingError {
  const [code, outcome] = meaningOf(failure.details) ?? statuses[failure.code] ?? ['internal', 'unknown']
  return new AlthingError(code, `etcd at ${address}: ${failure.details}`, {
    outcome,
    cause: failure,
    details: { address },
  })
}

/** Why the server ended a watch; `undefined` when its reason is none that is known. */
export function errorOfReason(reason: string, address: string): AlthingError | undefined {
  const meaning = meaningOf(reason)
  if (meaning === undefined) return undefined
  return new AlthingError(meaning[0], `etcd at ${address}: ${reason}`, { details: { address } })
}

function meaningOf(text: string): Meaning | undefined {
  const found = refusals.find(([part]) => text.includes(part))
  return found === undefined ? undefined : [found[1], found[2]]
}

/** As the store model words it. */
export function leaseNotFound(lease: number, outcome: Outcome = 'none'): AlthingError {
  return new AlthingError('lease-not-found', `lease ${lease} does not exist: it has expired or was revoked`, {
    outcome,
    details: { lease },
  })
}

/** The token of the session with the server is not known there (any more): a new one may be. */
export function isStaleToken(error: AlthingError): boolean {
  if (error.code !== 'unauthenticated') return false
  return error.message.includes('invalid auth token') || error.message.includes('auth store is old')
}
