import { describe, expect, test } from 'vitest'
import { fenceHeader, fenceHeaders, HttpGuard, ProcessFenceMemory } from './http-guard.ts'
import { liveMax } from './stamp-check.ts'

const headerOf = (...args: Parameters<typeof fenceHeaders>) => fenceHeaders(...args)[fenceHeader]

describe('a guarded HTTP resource', () => {
  test('takes the token of the present holder, and answers 412 to a former one', async () => {
    const guard = new HttpGuard()
    expect(await guard.check('invoice/7', headerOf({ token: 5 }))).toEqual({
      isAdmitted: true,
      stamp: { token: 5 },
    })
    expect(await guard.check('invoice/7', headerOf({ token: 9 }))).toMatchObject({ isAdmitted: true })
    expect(await guard.check('invoice/7', headerOf({ token: 5 }))).toMatchObject({
      isAdmitted: false,
      status: 412,
      error: { code: 'stale-token', outcome: 'none', details: { token: 5, resource: '"invoice/7"' } },
    })
    expect(await guard.check('invoice/8', headerOf({ token: 5 }))).toMatchObject({ isAdmitted: true })
  })

  test('reads of a read hold and of a permit what they have shown', async () => {
    const stamps = [
      { token: 4, kind: 'shared' },
      { token: 6, kind: 'member', asOf: 8, live: [3, 6] },
    ] as const
    for (const stamp of stamps) {
      expect(await new HttpGuard().check('x', headerOf(stamp))).toEqual({ isAdmitted: true, stamp })
    }
  })

  test('answers 428 to a request without a header, and 400 to one that is not ours', async () => {
    const guard = new HttpGuard()
    expect(await guard.check('x', undefined)).toMatchObject({ isAdmitted: false, status: 428 })
    const many = Array.from({ length: liveMax + 1 }, (_, i) => i + 1).join(',')
    const bad = [
      '',
      '5',
      'token=',
      'token=0',
      'token=-1',
      'token=5.5',
      'token=99999999999999999999',
      'token=5;kind=other',
      'token=5;kind=member;as-of=6;live=4',
      'token=5;kind=member;as-of=6;live=',
      `token=5;kind=member;as-of=6;live=${many}`,
      'token=5\n',
      ['token=5', 'token=6'],
    ]
    for (const header of bad) {
      expect([header, await guard.check('x', header)]).toMatchObject([header, { status: 400 }])
    }
    expect(await guard.check('x', 'token=1')).toMatchObject({ isAdmitted: true })
  })

  test('takes a memory of its caller, which says no by false or by stale-token, and fails as it fails', async () => {
    const own = new ProcessFenceMemory()
    const guard = new HttpGuard({ admit: async (resource, stamp) => own.admit(resource, stamp) })
    expect(await guard.check('x', 'token=5')).toMatchObject({ isAdmitted: true })
    expect(await guard.check('x', 'token=4')).toMatchObject({ status: 412 })
    const broken = new HttpGuard({ admit: () => Promise.reject(new Error('no database')) })
    await expect(broken.check('x', 'token=4')).rejects.toThrow('no database')
  })

  test('forgets nothing to make room: new resources are refused at the bound', () => {
    const memory = new ProcessFenceMemory({ resourcesMax: 1 })
    expect(memory.admit('a', { token: 1 })).toBe(true)
    expect(() => memory.admit('b', { token: 1 })).toThrow(expect.objectContaining({ code: 'overloaded' }))
    memory.forget('a')
    expect(memory.admit('b', { token: 1 })).toBe(true)
  })

  test('refuses to show what is no stamp', () => {
    for (const stamp of [{ token: 0 }, { token: 1, kind: 'x' }, undefined, { token: 2, kind: 'member' }]) {
      expect(() => fenceHeaders(stamp as { token: number })).toThrow(
        expect.objectContaining({ code: 'invalid-argument' }),
      )
    }
  })
})
