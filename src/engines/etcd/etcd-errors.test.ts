import { describe, expect, test } from 'vitest'
import { etcdCapabilitiesOf } from './etcd-capabilities.ts'
import { errorOf, errorOfReason, isStaleToken } from './etcd-errors.ts'
import { parseServerVersion, reportsProgressInOrder } from './server-version.ts'

const at = '127.0.0.1:2379'

describe('what etcd says', () => {
  test.each([
    [11, 'etcdserver: mvcc: required revision has been compacted', 'compacted', 'none'],
    [11, 'etcdserver: mvcc: required revision is a future revision', 'future-revision', 'none'],
    [5, 'etcdserver: requested lease not found', 'lease-not-found', 'none'],
    [9, 'etcdserver: lease already exists', 'conflict', 'none'],
    [8, 'etcdserver: mvcc: database space exceeded', 'no-space', 'none'],
    [8, 'etcdserver: too many requests', 'overloaded', 'none'],
    [3, 'etcdserver: request is too large', 'too-large', 'none'],
    [3, 'etcdserver: duplicate key given in txn request', 'invalid-argument', 'none'],
    [8, 'grpc: received message larger than max (3 vs. 2)', 'too-large', 'none'],
    [14, 'etcdserver: no leader', 'unavailable', 'none'],
    [7, 'etcdserver: permission denied', 'permission-denied', 'none'],
    [16, 'etcdserver: invalid auth token', 'unauthenticated', 'none'],
    // May have been applied, or be applied yet:
    [14, 'etcdserver: request timed out', 'timeout', 'unknown'],
    [14, 'etcdserver: request timed out, possibly due to previous leader failure', 'timeout', 'unknown'],
    [14, 'etcdserver: leader changed', 'unavailable', 'unknown'],
    [14, 'etcdserver: server stopped', 'unavailable', 'unknown'],
    [8, 'Received message larger than max (3 vs 2)', 'too-large', 'unknown'],
    [14, 'Connection dropped', 'unavailable', 'unknown'],
    [13, 'Received RST_STREAM with code 2', 'unavailable', 'unknown'],
    [1, 'Call cancelled', 'unavailable', 'unknown'],
    [4, 'Deadline exceeded', 'timeout', 'unknown'],
    [2, 'something new', 'internal', 'unknown'],
  ])('status %i, "%s", means %s, outcome %s', (code, details, expected, outcome) => {
    expect(errorOf({ code, details }, at)).toMatchObject({
      code: expected,
      outcome,
      details: { address: at },
    })
  })

  test('when it ends a watch is understood as far as it is known', () => {
    const reason = 'rpc error: code = PermissionDenied desc = etcdserver: permission denied'
    expect(errorOfReason(reason, at)).toMatchObject({ code: 'permission-denied' })
    expect(errorOfReason('', at)).toBeUndefined()
  })

  test('of a token is told apart from what it says of a password', () => {
    const stale = (details: string, code = 16): boolean => isStaleToken(errorOf({ code, details }, at))
    expect(stale('etcdserver: invalid auth token')).toBe(true)
    expect(stale('etcdserver: revision of auth store is old', 3)).toBe(true)
    expect(stale('etcdserver: authentication failed, invalid user ID or password', 3)).toBe(false)
  })
})

describe('the version of a server', () => {
  test.each(['3.3.27', '2.3.8', '', 'etcd', '3.x.1'])('%j will not do', (text) => {
    expect(() => parseServerVersion(text)).toThrow(expect.objectContaining({ code: 'incompatible-peer' }))
  })

  test.each([
    ['3.4.0', false],
    ['3.4.24', false],
    ['3.4.25', true],
    ['3.5.7', false],
    ['3.5.8', true],
    ['3.6.0-rc.1', true],
    ['4.0.0', true],
  ])('%s: progress that is asked for comes in order: %s', (text, expected) => {
    expect(reportsProgressInOrder(parseServerVersion(text))).toBe(expected)
  })

  test.each([
    ['3.4.30', 3, false],
    ['3.4.31', 3, true],
    ['3.5.12', 3, false],
    ['3.5.13', 3, true],
    ['3.6.0', 3, true],
    ['3.4.23', 1, true],
    ['3.4.23', 0, false],
  ])('%s, %i members: leases survive a change of leader: %s', (text, members, expected) => {
    const { leaseSurvivesFailover } = etcdCapabilitiesOf(parseServerVersion(text), members)
    expect(leaseSurvivesFailover).toBe(expected)
  })
})
