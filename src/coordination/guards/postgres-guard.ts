import { AlthingError, invalidArgument } from '../../contracts/errors.ts'
import type { FenceStamp } from '../fencing.ts'
import { checkResource, checkStamp, refusedStamp } from './stamp-check.ts'

/** What is needed of a client of PostgreSQL: that of `pg` (a `Client`, or one checked out of a `Pool`) has it. */
export interface PostgresQuery {
  query(text: string, values?: unknown[]): Promise<{ readonly rowCount: number | null }>
}

export interface PostgresGuardOptions {
  /** Where tokens are kept, with its schema if it has one: letters, digits, `_` and one dot. Default `'althing_fences'`. */
  readonly table?: string
}

/**
 * Lets only the present holder of a right change rows of a PostgreSQL. A table has one row for each resource, with the largest token that has been
 * here; {@link admit} compares and writes it in the caller's own transaction, and so holds its lock until that transaction ends: what a stale holder has begun
 * either committed before the next one came, or is refused.
 */
export class PostgresGuard {
  readonly #table: string

  constructor(options: PostgresGuardOptions = {}) {
    const { table = 'althing_fences' } = options
    if (typeof table !== 'string' || !/^[A-Za-z_]\w{0,62}(?:\.[A-Za-z_]\w{0,62})?$/.test(table)) {
      throw invalidArgument('table', table, 'a name of letters, digits and _, or two with a dot between them')
    }
    this.#table = table
      .split('.')
      .map((part) => `"${part}"`)
      .join('.')
  }

  /** For a migration, or the start of a program. Two at the same time do no harm. */
  get createTable(): string {
    return (
      `CREATE TABLE IF NOT EXISTS ${this.#table} (resource text PRIMARY KEY, exclusive bigint NOT NULL DEFAULT 0, ` +
      `shared bigint NOT NULL DEFAULT 0, as_of bigint NOT NULL DEFAULT 0, live bigint[] NOT NULL DEFAULT '{}')`
    )
  }

  /**
   * Call it first in the transaction that changes the resource, on the connection that runs it. Rejects with `stale-token` when a later holder was here: then
   * roll back. Rejects with `invalid-argument` before anything is sent, and with what the client rejects with.
   */
  async admit(client: PostgresQuery, resource: string, stamp: FenceStamp): Promise<void> {
    checkResource(resource)
    checkStamp(stamp)
    const { text, values } = this.#statement(resource, stamp)
    const { rowCount } = await client.query(text, values)
    if (rowCount === 1) return
    if (rowCount !== 0) {
      throw new AlthingError('internal', `PostgreSQL told of ${rowCount} rows instead of one or none`, {
        outcome: 'unknown',
      })
    }
    throw refusedStamp(`"${resource}"`, stamp)
  }

  /** The rules of `fence-state.ts`. */
  #statement(resource: string, stamp: FenceStamp): { readonly text: string; readonly values: unknown[] } {
    const table = this.#table
    const { token } = stamp
    switch (stamp.kind) {
      case undefined:
        return {
          text:
            `INSERT INTO ${table} AS f (resource, exclusive) VALUES ($1, $2) ON CONFLICT (resource) DO UPDATE ` +
            'SET exclusive = excluded.exclusive WHERE f.exclusive <= excluded.exclusive AND f.shared <= excluded.exclusive',
          values: [resource, token],
        }
      case 'shared':
        return {
          text:
            `INSERT INTO ${table} AS f (resource, shared) VALUES ($1, $2) ON CONFLICT (resource) DO UPDATE ` +
            'SET shared = greatest(f.shared, excluded.shared) WHERE f.exclusive <= excluded.shared',
          values: [resource, token],
        }
      case 'member':
        return {
          text:
            `INSERT INTO ${table} AS f (resource, as_of, live) VALUES ($1, $2, $3) ON CONFLICT (resource) DO UPDATE ` +
            'SET as_of = greatest(f.as_of, excluded.as_of), live = CASE WHEN excluded.as_of >= f.as_of THEN excluded.live ELSE f.live END ' +
            'WHERE excluded.as_of >= f.as_of OR $4 = ANY (f.live)',
          values: [resource, stamp.asOf, stamp.live, token],
        }
    }
  }
}
