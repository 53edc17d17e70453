import { describe, expect, test } from 'vitest'
import type { PrincipalRef } from '../../access/principal.ts'
import type { World } from '../../contracts/world.ts'
import { Simulation } from '../../testing/world/simulation.ts'
import { LoginSessions, loginLifeMs } from './login-sessions.ts'

const ann: PrincipalRef = ['token', 'ann']

function requestWith(setCookie: string): Request {
  return new Request('http://127.0.0.1/', { headers: { cookie: setCookie.split(';')[0] ?? '' } })
}

async function inWorld(body: (world: World) => Promise<void>): Promise<void> {
  const simulation = new Simulation({ seed: 1 })
  let failure: unknown
  let isDone = false
  simulation.process('node', async (world) => {
    await body(world).catch((error: unknown) => {
      failure = error
    })
    isDone = true
  })
  await simulation.runUntil(() => isDone, { limitMs: 2 * loginLifeMs })
  if (failure !== undefined) throw failure
}

describe('a sign-in', () => {
  test('ends by itself after twelve hours, and whoever follows it is told', () =>
    inWorld(async (world) => {
      const logins = new LoginSessions(world, 1, false)
      const request = requestWith(logins.begin(ann))
      let told = 0
      logins.follow(request, () => told++)
      await new Promise<void>((resolve) => world.timers.after(loginLifeMs - 1_000, resolve))
      expect(logins.principal(request)).toEqual(ann)
      expect(told).toBe(0)
      await new Promise<void>((resolve) => world.timers.after(1_001, resolve))
      expect(logins.principal(request)).toBeUndefined()
      expect([told, logins.count]).toEqual([1, 0])
    }))

  test('is one of twenty with the same token: the oldest of them ends, and nobody else is signed out', () =>
    inWorld(async (world) => {
      const logins = new LoginSessions(world, 1, false)
      const bob = requestWith(logins.begin(['token', 'bob']))
      const anns = Array.from({ length: 21 }, () => requestWith(logins.begin(ann)))
      expect(anns.map((request) => logins.principal(request) !== undefined)).toEqual([
        false,
        ...Array.from({ length: 20 }, () => true),
      ])
      expect(logins.principal(bob)).toEqual(['token', 'bob'])
    }))

  test('is one of a thousand of all: the oldest ends', () =>
    inWorld(async (world) => {
      const logins = new LoginSessions(world, 1, false)
      const all = Array.from({ length: 1_001 }, (_, i) => requestWith(logins.begin(['token', `t${i}`])))
      expect(logins.count).toBe(1_000)
      expect(logins.principal(all[0] as Request)).toBeUndefined()
      expect(logins.principal(all[1] as Request)).toEqual(['token', 't1'])
    }))

  test('at one node means nothing to another, and its cookie goes out over TLS alone where there is TLS', () =>
    inWorld(async (world) => {
      const [one, two] = [new LoginSessions(world, 1, true), new LoginSessions(world, 2, false)]
      const cookie = one.begin(ann)
      expect(cookie).toContain('; Secure')
      expect(two.begin(ann)).not.toContain('Secure')
      expect(two.principal(requestWith(cookie))).toBeUndefined()
      expect(two.principal(requestWith(cookie.replace('-1=', '-2=')))).toBeUndefined()
    }))
})
