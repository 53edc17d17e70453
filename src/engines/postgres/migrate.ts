import { AlthingError } from '../../contracts/errors.ts'
import type { PostgresClient } from './library.ts'
import { types } from './library.ts'
import { type Migration, migrations } from './migrations.ts'
import type { Place } from './place.ts'

const newest = (migrations.at(-1) as Migration).version

/**
 * Brings the tables to the version of this program: each migration that is missing in one transaction, under an advisory lock, so that any number of programs may start at the same time. Without
 * `mayMigrate` it only looks, and rejects with `incompatible-peer` when something is missing; so it does when the tables are of a later program.
 */
export async function migrate(client: PostgresClient, place: Place, mayMigrate: boolean): Promise<void> {
  const before = await versionOf(client, place)
  if (before === newest) return
  if (before > newest) throw tooNew(place, before)
  if (!mayMigrate) throw tooOld(place, before)
  await run(client, 'begin isolation level read committed')
  try {
    await run(client, 'set local statement_timeout = 0')
    await run(client, `select pg_advisory_xact_lock(hashtextextended('${place.channel}_migrate', 0))`)
    await run(
      client,
      `create schema if not exists ${place.schema};
create table if not exists ${place.schema}.migrations (
  version int primary key, name text not null, applied_at timestamptz not null default clock_timestamp()
)`,
    )
    const version = await versionOf(client, place)
    for (const migration of migrations) {
      if (migration.version <= version) continue
      await run(client, migration.sql(place.schema, place.channel))
      await run(
        client,
        `insert into ${place.schema}.migrations (version, name) values (${migration.version}, '${migration.name}')`,
      )
    }
    await run(client, 'commit')
  } catch (error) {
    await run(client, 'rollback').catch(() => {})
    throw error
  }
}

/** 0: there are no tables yet. */
async function versionOf(client: PostgresClient, { schema }: Place): Promise<number> {
  const [there] = await run(client, `select to_regclass('${schema}.migrations') is not null as there`)
  if (there?.there !== true) return 0
  const [row] = await run(client, `select coalesce(max(version), 0) as version from ${schema}.migrations`)
  return Number(row?.version)
}

async function run(
  client: PostgresClient,
  text: string,
): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const { rows } = await client.query({ text, types })
  // Several statements in one text have a list of results.
  return rows ?? []
}

function tooNew({ name }: Place, version: number): AlthingError {
  return new AlthingError(
    'incompatible-peer',
    `the schema ${name} has version ${version}, but this program knows those up to ${newest}: use a newer Althing`,
    { outcome: 'none', details: { version, newest } },
  )
}

function tooOld({ name }: Place, version: number): AlthingError {
  return new AlthingError(
    'incompatible-peer',
    `the schema ${name} has version ${version}, and version ${newest} is needed: run \`migratePostgres\` as a role that may create tables, or open with migrate: true`,
    { outcome: 'none', details: { version, newest } },
  )
}
