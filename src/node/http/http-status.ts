import type { ErrorCode } from '../../contracts/errors.ts'

/** The status of a reply that carries an error. */
export type ErrorStatus =
  | 400
  | 401
  | 403
  | 404
  | 408
  | 409
  | 410
  | 412
  | 413
  | 429
  | 500
  | 501
  | 502
  | 503
  | 504
  | 507

/** HTTP's nearest word for each code. The body says the same thing exactly. */
export const httpStatusOf: Readonly<Record<ErrorCode, ErrorStatus>> = {
  'invalid-argument': 400,
  aborted: 408,
  timeout: 504,
  unavailable: 503,
  overloaded: 429,
  closed: 503,
  'too-large': 413,
  compacted: 410,
  'future-revision': 400,
  'lease-not-found': 404,
  'session-expired': 409,
  'stale-token': 409,
  lost: 409,
  conflict: 409,
  'not-found': 404,
  'missing-guarantee': 501,
  'incompatible-peer': 502,
  corrupt: 500,
  'disk-failed': 503,
  'node-failed': 503,
  'permission-denied': 403,
  unauthenticated: 401,
  'no-space': 507,
  'not-member': 410,
  internal: 500,
}
