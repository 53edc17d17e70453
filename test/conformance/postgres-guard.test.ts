// The guard of rows in a real PostgreSQL, by the program that docs/blocks/fencing.md shows.
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { open } from '../../src/node/althing.ts'
import { prepare, withdraw } from '../../docs/examples/fencing-postgres.ts'
import { isAlthingError } from '../../src/contracts/errors.ts'
import type { FenceStamp } from '../../src/coordination/fencing.ts'
import { admit, type FenceState, initialFenceState } from '../../src/coordination/guards/fence-state.ts'
import { PostgresGuard } from '../../src/coordination/guards/postgres-guard.ts'
import { readText } from '../architecture/source-tree.ts'
import { PostgresServer, postgresUnavailable } from '../engines/servers/postgres-server.ts'

test('the page of fencing shows the program that runs here', () => {
  const shown = /```typescript\n([\s\S]*?)```/.exec(readText('docs/blocks/fencing.md'))?.[1]
  expect(shown).toBe(readText('docs/examples/fencing-postgres.ts'))
})

describe.skipIf(postgresUnavailable() !== undefined)('a guarded row of PostgreSQL', () => {
  let server: PostgresServer
  let pool: pg.Pool

  beforeAll(async () => {
    server = await PostgresServer.start()
    pool = new pg.Pool({ connectionString: server.url, max: 8 })
    pool.on('error', () => undefined)
    await prepare(pool)
  })

  afterAll(async () => {
    await pool?.end()
    await server?.stop()
  })

  async function balance(): Promise<number> {
    const { rows } = await pool.query('SELECT balance FROM accounts WHERE id = 42')
    return (rows[0] as { balance: number }).balance
  }

  async function isRefused(stamp: FenceStamp): Promise<boolean> {
    try {
      await withdraw(pool, stamp, 1)
      return false
    } catch (error) {
      if (isAlthingError(error, 'stale-token')) return true
      throw error
    }
  }

  test('1,000 changes by former holders are refused, and those of the present one are made', async () => {
    await using althing = await open('memory:')
    const before = await balance()
    const former: FenceStamp[] = []
    for (let n = 0; n < 20; n++) {
      const lock = await althing.locks.acquire('accounts/42')
      await withdraw(pool, lock.stamp, 1)
      former.push(lock.stamp)
      await lock.release()
    }
    const lock = await althing.locks.acquire('accounts/42')
    await withdraw(pool, lock.stamp, 1)
    for (let round = 0; round < 50; round++) {
      expect(await Promise.all(former.map(isRefused))).toEqual(former.map(() => true))
    }
    await withdraw(pool, lock.stamp, 1)
    expect(await balance()).toBe(before - 22)
  })

  test('a stale transaction that is open holds a later holder up until it ends, and is not cut in two', async () => {
    const guard = new PostgresGuard()
    const slow = await pool.connect()
    await slow.query('BEGIN')
    await guard.admit(slow, 'order', { token: 5 })
    let hasNext = false
    const next = pool.connect().then(async (client) => {
      await client.query('BEGIN')
      await guard.admit(client, 'order', { token: 6 })
      hasNext = true
      await client.query('COMMIT')
      client.release()
    })
    await slow.query('SELECT pg_sleep(0.2)')
    expect(hasNext).toBe(false)
    await slow.query('COMMIT')
    await next
    await expect(guard.admit(slow, 'order', { token: 5 })).rejects.toMatchObject({
      code: 'stale-token',
      outcome: 'none',
    })
    slow.release()
  })

  test('decides like the rules for all kinds of holds', async () => {
    const guard = new PostgresGuard({ table: 'public.fences_2' })
    await pool.query(guard.createTable)
    await pool.query(guard.createTable)
    let seed = 7
    const random = (max: number): number => {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648
      return 1 + (seed % max)
    }
    const verdicts = { admitted: 0, refused: 0 }
    for (let resource = 0; resource < 40; resource++) {
      let state: FenceState = initialFenceState
      for (let step = 0; step < 12; step++) {
        const stamp = someStamp(resource, random)
        const after = admit(state, stamp)
        const isAdmitted = await guard.admit(pool, `r${resource}`, stamp).then(
          () => true,
          (error: unknown) => {
            if (isAlthingError(error, 'stale-token')) return false
            throw error
          },
        )
        expect([resource, step, stamp, isAdmitted]).toEqual([resource, step, stamp, after !== undefined])
        verdicts[isAdmitted ? 'admitted' : 'refused'] += 1
        state = after ?? state
      }
    }
    expect(Math.min(verdicts.admitted, verdicts.refused)).toBeGreaterThan(50)
  })

  test('refuses names of tables and resources that make no sense', async () => {
    for (const table of ['', 'a b', 'a.b.c', 'x"; DROP TABLE accounts; --']) {
      expect(() => new PostgresGuard({ table })).toThrow(
        expect.objectContaining({ code: 'invalid-argument' }),
      )
    }
    const guard = new PostgresGuard()
    await expect(guard.admit(pool, '', { token: 1 })).rejects.toMatchObject({ code: 'invalid-argument' })
    await expect(guard.admit(pool, 'x', { token: 0 })).rejects.toMatchObject({ code: 'invalid-argument' })
  })
})

/** Of one right for even resources (writers and readers), of a semaphore for odd ones. */
function someStamp(resource: number, random: (max: number) => number): FenceStamp {
  const token = random(9)
  if (resource % 2 === 0) return random(2) === 1 ? { token } : { token, kind: 'shared' }
  const live = [...new Set([random(9), random(9), token])]
  return { token, kind: 'member', asOf: Math.max(...live) + random(4), live }
}
