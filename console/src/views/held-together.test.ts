import { expect, test } from 'vitest'
import type { LockExplanation, LockParty } from '../api/types.ts'
import { namesHeldTogether } from './held-together.ts'

const party = (token: number, lease: number): LockParty => ({
  token,
  lease,
  ttlMs: 30_000,
  queuedAtMs: 0,
  mode: 'write',
})

const lock = (name: string, holder: LockParty, ...waiters: LockParty[]): LockExplanation => ({
  name,
  holder,
  holders: [holder],
  waiters,
  revision: 9,
})

test('the locks of one hold are told by its token and its lease, where it holds and where it still waits', () => {
  const locks = [
    lock('a', party(5, 1)),
    lock('b', party(4, 2), party(5, 1)),
    lock('c', party(6, 1)),
    lock('d', party(5, 3)),
  ]
  expect(namesHeldTogether(locks, 'a', party(5, 1))).toEqual(['b'])
  expect(namesHeldTogether(locks, 'b', party(5, 1))).toEqual(['a'])
  expect(namesHeldTogether(locks, 'c', party(6, 1))).toEqual([])
})
