import type { Pool } from 'pg'
import { type FenceStamp, PostgresGuard } from 'althing/coordination'

const guard = new PostgresGuard()

/** In a migration. */
export async function prepare(pool: Pool): Promise<void> {
  await pool.query(guard.createTable)
  await pool.query('CREATE TABLE IF NOT EXISTS accounts (id int PRIMARY KEY, balance int NOT NULL)')
  await pool.query('INSERT INTO accounts VALUES (42, 100) ON CONFLICT DO NOTHING')
}

/** Changes an account under the lock `accounts/42`, whose `stamp` it is given: rejects with `stale-token` when a later holder was here. */
export async function withdraw(pool: Pool, stamp: FenceStamp, amount: number): Promise<void> {
  const client = await pool.connect()
  try {
    await client.query('BEGIN')
    await guard.admit(client, 'accounts/42', stamp)
    await client.query('UPDATE accounts SET balance = balance - $1 WHERE id = 42', [amount])
    await client.query('COMMIT')
  } catch (error) {
    await client.query('ROLLBACK')
    throw error
  } finally {
    client.release()
  }
}
