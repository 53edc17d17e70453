import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { bytesFromText } from '../base/bytes.ts'
import { AlthingError } from '../contracts/errors.ts'
import type { ConnectionIdentity, World } from '../contracts/world.ts'
import { StoreModel } from '../models/store/store-model.ts'
import { SeededRandom } from '../testing/world/seeded-random.ts'
import type { SimulatedClock } from '../testing/world/simulated-clock.ts'
import { Simulation } from '../testing/world/simulation.ts'
import { AccessControl, type Credentials } from './access-control.ts'
import { type KeyDerivation, Passwords } from './passwords.ts'
import {
  type AccessSettings,
  settingsKey,
  type TokenRecord,
  tokensPrefix,
  type UserRecord,
  usersPrefix,
} from './records.ts'
import { createToken } from './token.ts'

const origin = { remoteAddress: '10.0.0.1:5' }
const nodeKey = 'key-of-the-nodes'
const on: AccessSettings = { version: 1, isEnabled: true, nodeKey }
const off: AccessSettings = { ...on, isEnabled: false }

const random = new SeededRandom(1)
const token = createToken(random)
const neverMade = createToken(random)
const tokenOfAnn: TokenRecord = { version: 1, user: 'ann', hash: token.hash, label: '', createdAtMs: 0 }

/** As quick as the virtual time wants it. */
const derivation: KeyDerivation = {
  scrypt: (password, salt) => Promise.resolve(createHash('sha256').update(password).update(salt).digest()),
}
const passwords = new Passwords(derivation, random)

/** One node's copy of the default store with the access control above it; what the rest of the cluster has done reaches it at the barrier. */
class Copy {
  readonly model = new StoreModel()
  readonly control: AccessControl
  barriers = 0
  /** What the copy hears while it catches up. */
  news: Readonly<Record<string, object>> = {}
  hasQuorum = true

  constructor(world: World, records: Readonly<Record<string, object>>) {
    this.#put(records)
    this.control = new AccessControl({
      world,
      applied: this.model,
      passwords,
      barrier: (done) => {
        this.barriers++
        world.timers.after(10, () => this.#catchUp(done))
      },
    })
  }

  apply(records: Readonly<Record<string, object>>): void {
    this.control.applied(this.#put(records))
  }

  signIn(credentials: Credentials): Promise<unknown> {
    return this.control.authenticate(credentials, origin)
  }

  #catchUp(done: (error?: AlthingError) => void): void {
    if (!this.hasQuorum) return done(new AlthingError('unavailable', 'no leader', { outcome: 'none' }))
    // As a snapshot that the leader has sent: the whole copy at once.
    this.#put(this.news)
    this.news = {}
    this.control.replaced()
    done()
  }

  #put(records: Readonly<Record<string, object>>) {
    const { change } = this.model.applyWithChange({
      type: 'txn',
      ...{ session: 0, sequence: 0, acknowledged: 0 },
      ...{ compare: [], else: [] },
      then: Object.entries(records).map(([key, record]) => ({
        op: 'put',
        key,
        value: bytesFromText(JSON.stringify(record)),
      })),
    })
    return change?.events ?? []
  }
}

const ann: UserRecord = { version: 1, roles: ['root'], epoch: 'e1', createdAtMs: 0 }
const users = { [`${usersPrefix}ann`]: ann }
const tokens = { [`${tokensPrefix}${token.id}`]: tokenOfAnn }
const enabled = { [settingsKey]: on, ...users, ...tokens }

async function annWith(password: string, epoch: string): Promise<Record<string, UserRecord>> {
  return { [`${usersPrefix}ann`]: { ...ann, epoch, password: await passwords.hash(password) } }
}

function inWorld(body: (world: World, clock: SimulatedClock) => Promise<void>): () => Promise<void> {
  return async () => {
    const simulation = new Simulation({ seed: 1 })
    let isDone = false
    let failure: unknown
    const { clock } = simulation.process('node', async (world) => {
      await body(world, clock).catch((error: unknown) => {
        failure = error
      })
      isDone = true
    })
    await simulation.runUntil(() => isDone, { limitMs: 3_600_000 })
    if (failure !== undefined) throw failure
  }
}

const passed = (world: World, ms: number): Promise<void> =>
  new Promise((resolve) => world.timers.after(ms, resolve))

describe('a caller that shows who it is while access control is off, as far as this copy knows', () => {
  test(
    'is who its token says, when the copy hears meanwhile that access control is on',
    inWorld(async (world) => {
      const copy = new Copy(world, {})
      copy.news = enabled
      expect(copy.control.recognise({ token: token.text }, origin)).toBeUndefined()
      expect(await copy.signIn({ token: token.text })).toEqual(['token', token.id])
      expect(copy.control.isEnabled).toBe(true)
    }),
  )

  test(
    'is refused then, when its token or its password is not valid',
    inWorld(async (world) => {
      const wrong = [{ token: neverMade.text }, { token: 'no token' }, { user: 'ann', password: 'wrong one' }]
      for (const credentials of wrong) {
        const copy = new Copy(world, { [settingsKey]: off })
        copy.news = { ...enabled, ...(await annWith('right one', 'e1')) }
        await expect(copy.signIn(credentials)).rejects.toMatchObject({
          code: 'unauthenticated',
          outcome: 'none',
        })
      }
    }),
  )

  test(
    'is who its password says, with the epoch that the copy has heard of',
    inWorld(async (world) => {
      const copy = new Copy(world, {})
      copy.news = { [settingsKey]: on, ...(await annWith('right one', 'e7')) }
      expect(await copy.signIn({ user: 'ann', password: 'right one' })).toEqual(['user', 'ann', 'e7'])
    }),
  )

  test(
    'counts as nobody once the copy has caught up and it is off indeed',
    inWorld(async (world) => {
      const copy = new Copy(world, { [settingsKey]: off })
      expect(await copy.signIn({ token: neverMade.text })).toEqual(['anonymous'])
      expect(await copy.signIn({ user: 'ann', password: 'anything' })).toEqual(['anonymous'])
      expect(copy.barriers).toBe(2)
    }),
  )

  test(
    'gets unavailable without a quorum: it is neither let in as nobody nor turned away for good',
    inWorld(async (world) => {
      const copy = new Copy(world, {})
      copy.hasQuorum = false
      for (const credentials of [{ token: token.text }, { user: 'ann', password: 'right one' }])
        await expect(copy.signIn(credentials)).rejects.toMatchObject({
          code: 'unavailable',
          outcome: 'none',
          cause: { message: 'no leader' },
        })
    }),
  )
})

describe('who needs no word of the others', () => {
  test(
    'a caller that shows nothing is nobody at once, and may do as much as the copy allows',
    inWorld(async (world) => {
      const copy = new Copy(world, {})
      copy.hasQuorum = false
      const ref = await copy.control.authenticate({}, origin)
      expect(ref).toEqual(['anonymous'])
      expect(copy.control.principal(ref).rightsIn(undefined).has('write')).toBe(true)
      copy.apply(enabled)
      expect(await copy.signIn({})).toEqual(['anonymous'])
      expect(() => copy.control.principal(ref)).toThrow(expect.objectContaining({ code: 'unauthenticated' }))
      expect(copy.barriers).toBe(0)
    }),
  )

  test(
    'a token that the copy has, and a node that shows the key of the nodes',
    inWorld(async (world) => {
      const copy = new Copy(world, enabled)
      copy.hasQuorum = false
      expect(await copy.signIn({ token: token.text })).toEqual(['token', token.id])
      expect(await copy.signIn({ nodeKey })).toEqual(['node'])
      expect(await copy.signIn({ nodeKey: `${nodeKey}x` })).toEqual(['anonymous'])
      expect(copy.barriers).toBe(0)
    }),
  )

  test(
    'a caller whose connection says it all: a node, a user by certificate, a stranger while nothing else keeps him out',
    inWorld(async (world) => {
      const copy = new Copy(world, {})
      const signIn = (identity: ConnectionIdentity) => copy.control.authenticate({}, { ...origin, identity })
      const stranger = { kind: 'anonymous', name: '', isNode: false } as const
      await expect(signIn(stranger)).rejects.toMatchObject({ code: 'unauthenticated' })
      copy.apply({ ...enabled, [`${usersPrefix}ann`]: { ...ann, allowsCertificate: true } })
      expect(await signIn(stranger)).toEqual(['anonymous'])
      expect(await signIn({ kind: 'certificate', name: 'ann', isNode: false })).toEqual([
        'certificate',
        'ann',
      ])
      expect(await signIn({ kind: 'certificate', name: 'bob', isNode: false })).toEqual(['anonymous'])
      expect(await signIn({ kind: 'certificate', name: 'nodes', isNode: true })).toEqual(['node'])
      expect(copy.barriers).toBe(0)
    }),
  )
})

describe('a sign-in that this copy would refuse', () => {
  test(
    'is judged by what was acknowledged before: a token just made, a password just changed',
    inWorld(async (world) => {
      const copy = new Copy(world, { [settingsKey]: on, ...(await annWith('old password', 'e1')) })
      copy.news = tokens
      expect(await copy.signIn({ token: token.text })).toEqual(['token', token.id])
      copy.news = await annWith('new password', 'e2')
      expect(await copy.signIn({ user: 'ann', password: 'new password' })).toEqual(['user', 'ann', 'e2'])
    }),
  )

  test(
    'makes its address wait after five failures, without a look at anything; a token that is known comes in all the same',
    inWorld(async (world) => {
      const copy = new Copy(world, enabled)
      const guess = () => copy.signIn({ token: neverMade.text })
      for (let i = 0; i < 6; i++) await expect(guess()).rejects.toMatchObject({ code: 'unauthenticated' })
      await expect(guess()).rejects.toMatchObject({ code: 'overloaded', details: { retryAfterMs: 500 } })
      expect(copy.barriers).toBe(6)
      expect(await copy.signIn({ token: token.text })).toEqual(['token', token.id])
      await passed(world, 500)
      await expect(guess()).rejects.toMatchObject({ code: 'unauthenticated' })
    }),
  )

  test(
    'is not held against its address when nobody could say whether it was right',
    inWorld(async (world) => {
      const copy = new Copy(world, { [settingsKey]: on, ...users })
      copy.hasQuorum = false
      for (let i = 0; i < 10; i++)
        await expect(copy.signIn({ token: token.text })).rejects.toMatchObject({ code: 'unavailable' })
      copy.hasQuorum = true
      copy.news = tokens
      expect(await copy.signIn({ token: token.text })).toEqual(['token', token.id])
    }),
  )
})

describe('a token with an end', () => {
  const endingAfter = (world: World, ms: number) => ({
    [settingsKey]: on,
    ...users,
    [`${tokensPrefix}${token.id}`]: { ...tokenOfAnn, expiresAtMs: world.clock.wallMs() + ms },
  })

  test(
    'is valid until then; whoever follows what is allowed is told at its end',
    inWorld(async (world) => {
      const copy = new Copy(world, endingAfter(world, 150_000))
      const allowed: boolean[] = []
      copy.control.onChange(() => {
        try {
          allowed.push(copy.control.principal(['token', token.id]).name === 'ann')
        } catch {
          allowed.push(false)
        }
      })
      await passed(world, 149_900)
      expect(allowed).not.toContain(false)
      expect(await copy.signIn({ token: token.text })).toEqual(['token', token.id])
      await passed(world, 200)
      expect(allowed.at(-1)).toBe(false)
      await expect(copy.signIn({ token: token.text })).rejects.toMatchObject({ code: 'unauthenticated' })
    }),
  )

  test(
    'has ended within a minute for those who follow, when the wall clock is set past its end',
    inWorld(async (world, clock) => {
      const copy = new Copy(world, endingAfter(world, 7_200_000))
      let told = 0
      copy.control.onChange(() => told++)
      clock.stepWall(7_200_000)
      expect(() => copy.control.principal(['token', token.id])).toThrow(
        expect.objectContaining({ code: 'unauthenticated' }),
      )
      await passed(world, 60_000)
      expect(told).toBe(1)
    }),
  )

  test(
    'is watched for no longer once the node closes, or the listener has gone',
    inWorld(async (world) => {
      const copy = new Copy(world, endingAfter(world, 1_000))
      let told = 0
      const forget = copy.control.onChange(() => told++)
      copy.apply({ [settingsKey]: off })
      copy.apply(endingAfter(world, 1_000))
      expect(told).toBe(2)
      forget()
      copy.control.onChange(() => told++)
      copy.control.close()
      await passed(world, 5_000)
      expect(told).toBe(2)
    }),
  )
})
