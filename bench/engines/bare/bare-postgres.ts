import pg from 'pg'
import { type BareClient, missing } from './bare-client.ts'

/**
 * `pg` with a pool of its default size (10) and prepared statements: one `insert ... on conflict do update` of key, value and version, committed by itself. No history, no
 * order over all keys, nothing for a watch to read, and a repeat after a lost answer counts twice.
 */
export async function openBarePostgres(url: string): Promise<BareClient> {
  const pool = new pg.Pool({ connectionString: url })
  await pool.query(`create table if not exists bare_keys (
  key bytea primary key, value bytea not null, version bigint not null
) with (fillfactor = 80)`)
  const put = `insert into bare_keys as k values ($1, $2, 1)
on conflict (key) do update set value = excluded.value, version = k.version + 1`
  return clientOf(pool, put, 'select value from bare_keys where key = $1', 'bare')
}

/**
 * The same, and what a watch and a comparison of revisions need besides: a revision over all keys, and a row of history, in one statement. Still without leases,
 * transactions, and repeats that are known.
 */
export async function openPostgresJournal(url: string): Promise<BareClient> {
  const pool = new pg.Pool({ connectionString: url })
  await pool.query(`create table if not exists journal_meta (revision bigint not null) with (fillfactor = 10);
insert into journal_meta select 1 where not exists (select 1 from journal_meta);
create table if not exists journal_keys (
  key bytea primary key, value bytea not null, revision bigint not null, version bigint not null
) with (fillfactor = 80);
create table if not exists journal_history (
  revision bigint primary key, key bytea not null, value bytea not null
);
create index if not exists journal_by_key on journal_history (key, revision)`)
  const put = `with next as (update journal_meta set revision = revision + 1 returning revision),
noted as (insert into journal_history select revision, $1, $2 from next)
insert into journal_keys as k select $1, $2, revision, 1 from next
on conflict (key) do update set value = excluded.value, revision = excluded.revision, version = k.version + 1`
  return clientOf(pool, put, 'select value from journal_keys where key = $1', 'journal')
}

function clientOf(pool: pg.Pool, put: string, get: string, name: string): BareClient {
  return {
    put: (key, value) => pool.query({ name: `${name}_put`, text: put, values: [Buffer.from(key), value] }),
    get: async (key) => {
      const { rows } = await pool.query({ name: `${name}_get`, text: get, values: [Buffer.from(key)] })
      const found = (rows as readonly { readonly value: Buffer }[])[0]
      if (found === undefined) throw missing(key)
      return found.value.byteLength
    },
    close: () => pool.end(),
  }
}
