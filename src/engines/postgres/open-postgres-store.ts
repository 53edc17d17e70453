import { AlthingError, asAlthingError } from '../../contracts/errors.ts'
import type { StoreCapabilities } from '../../contracts/store.ts'
import type { World } from '../../contracts/world.ts'
import { outliveBrokenConnections } from './connection-source.ts'
import { Connections } from './connections.ts'
import { loadPostgresLibrary, type PostgresClient, type PostgresPool, types } from './library.ts'
import { migrate } from './migrate.ts'
import { type CheckedOptions, checkOptions, type PostgresStoreOptions } from './options.ts'
import { failureOf, standbyError } from './postgres-errors.ts'
import { PostgresStore } from './postgres-store.ts'
import { type RenewalEngine, renewalEntry } from './renewal-thread.ts'
import { capabilitiesOf, settingsQuery } from './server-settings.ts'

export type { PostgresStore, PostgresStoreOptions }

const endMsMax = 500

/**
 * Opens a store in a PostgreSQL database: makes or brings up to date its tables, and finds out what the server guarantees. Rejects with `invalid-argument`, `not-found` (the package `pg`,
 * the database), `unavailable`, `unauthenticated`, `permission-denied`, and `incompatible-peer` for a server or tables that it cannot work with.
 */
export async function openPostgresStore(world: World, options: PostgresStoreOptions): Promise<PostgresStore> {
  const checked = checkOptions(options)
  const { pool, release } = await poolOf(world, checked)
  try {
    const capabilities = await prepare(world, pool, checked)
    const connections = new Connections(world, pool, { usesNames: checked.usesNames })
    const parts = { connections, capabilities, options: checked, release }
    if (!('config' in checked.source)) return new PostgresStore(parts)
    const engine: RenewalEngine = {
      config: checked.source.config,
      place: checked.place,
      timeoutMs: checked.timeoutMs,
      usesNames: checked.usesNames,
    }
    return new PostgresStore({
      ...parts,
      ...(isCloneable(engine) ? { renewal: { entry: renewalEntry, engine } } : {}),
    })
  } catch (error) {
    await release()
    throw error
  }
}

/** Makes the tables, or brings them up to date, and no more: for a role that may, where the application's may not. Rejects as {@link openPostgresStore}. */
export async function migratePostgres(world: World, options: PostgresStoreOptions): Promise<void> {
  const checked = checkOptions({ ...options, migrate: true })
  const { pool, release } = await poolOf(world, checked)
  try {
    await prepare(world, pool, checked)
  } finally {
    await release()
  }
}

async function poolOf(
  world: World,
  { source }: CheckedOptions,
): Promise<{ readonly pool: PostgresPool; readonly release: () => Promise<void> }> {
  const noted = (error: Error): void => {
    world.logger.log('debug', 'an idle connection to PostgreSQL was lost', { error: error.message })
  }
  if ('pool' in source) {
    const { pool } = source
    const stop = outliveBrokenConnections(pool, noted)
    return { pool, release: async () => stop() }
  }
  const library = await loadPostgresLibrary()
  const pool = new library.Pool(source.config)
  outliveBrokenConnections(pool, noted)
  return { pool, release: () => endPool(world, pool) }
}

/** A connection that is being made to a silent server ends by itself, later; nobody needs to wait for that. */
function endPool(world: World, pool: PostgresPool): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = world.timers.after(endMsMax, resolve)
    pool.end().then(
      () => {
        timer.cancel()
        resolve()
      },
      (error: unknown) => {
        timer.cancel()
        reject(error as Error)
      },
    )
  })
}

/** Tries until the time of a call is over: the server may just be starting. */
async function prepare(
  world: World,
  pool: PostgresPool,
  checked: CheckedOptions,
): Promise<StoreCapabilities> {
  const connections = new Connections(world, pool, { usesNames: false })
  const deadlineMs = world.clock.monotonicMs() + checked.timeoutMs
  for (let failures = 0; ; failures++) {
    try {
      return await prepareOnce(pool, checked)
    } catch (error) {
      const { error: failure, isPassing } = failureOf(error, false)
      const waitMs = connections.retryMs(failures)
      if (!isPassing || world.clock.monotonicMs() + waitMs > deadlineMs) throw statedNone(failure)
      await new Promise<void>((resolve) => world.timers.after(waitMs, resolve))
    }
  }
}

async function prepareOnce(pool: PostgresPool, checked: CheckedOptions): Promise<StoreCapabilities> {
  const client = await pool.connect()
  let problem: unknown
  const broken = (): void => {}
  client.on('error', broken)
  try {
    const capabilities = await settingsOf(client)
    await migrate(client, checked.place, checked.mayMigrate)
    return capabilities
  } catch (error) {
    problem = error
    throw error
  } finally {
    client.removeListener('error', broken)
    client.release(problem !== undefined)
  }
}

async function settingsOf(client: PostgresClient): Promise<StoreCapabilities> {
  const { rows } = await client.query({ text: settingsQuery, types })
  if (rows[0]?.standby === true) throw standbyError()
  return capabilitiesOf(rows[0])
}

function statedNone(failure: AlthingError): AlthingError {
  return failure.outcome === undefined
    ? new AlthingError(failure.code, failure.message, {
        outcome: 'none',
        cause: failure.cause,
        ...(failure.details === undefined ? {} : { details: failure.details }),
      })
    : asAlthingError(failure)
}

/** A configuration with functions in it (a password that is asked for) cannot go to a thread. */
function isCloneable(engine: RenewalEngine): boolean {
  try {
    structuredClone(engine)
    return true
  } catch {
    return false
  }
}
