/**
 * The tables. `keys` is the store as it is now; `history` has a row for each event that is not compacted away, and the newest version of each key whatever its age.
 *
 *     meta      one row: the newest revision, the compact revision. Every change of the store holds its lock until it is committed: so revisions become visible in their order
 *     keys      key -> value, revisions, version, lease
 *     history   (revision, key) -> the key as it was from then on; version 0: it was deleted
 *     leases    id -> length and end, by the clock of the server
 *     epoch     empty after a crash or a promotion (unlogged), and of another start after a restart: then all leases begin anew
 *     sessions  of each client the number and the reply of its last batch of commands
 *     marks     which revision was the newest when: for compaction by age
 *     purge     up to which compact revision the history has been cleared, and is to be
 */
export function tables(schema: string): string {
  return storeTables(schema) + leaseTables(schema) + keepingTables(schema)
}

function storeTables(schema: string): string {
  return `
create table ${schema}.meta (
  id smallint primary key default 1 check (id = 1),
  revision bigint not null default 1,
  compact_revision bigint not null default 0,
  next_lease bigint not null default 1
) with (fillfactor = 10);
insert into ${schema}.meta default values;

create table ${schema}.keys (
  key bytea primary key,
  value bytea not null,
  create_revision bigint not null,
  mod_revision bigint not null,
  version bigint not null,
  lease bigint not null
) with (fillfactor = 80);
-- Rows are replaced and cleared all the time: the defaults of autovacuum would let a fifth of a table lie dead.
alter table ${schema}.keys set (autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);
create index keys_by_lease on ${schema}.keys (lease, key) where lease <> 0;

create table ${schema}.history (
  revision bigint not null,
  key bytea not null,
  create_revision bigint not null,
  version bigint not null,
  lease bigint not null,
  value bytea,
  primary key (revision, key)
);
alter table ${schema}.history set (
  autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05
);
create index history_by_key on ${schema}.history (key, revision);
`
}

function leaseTables(schema: string): string {
  return `
create table ${schema}.leases (
  id bigint primary key,
  ttl_ms bigint not null,
  expires_at timestamptz not null
) with (fillfactor = 70);
create index leases_by_expiry on ${schema}.leases (expires_at);

create unlogged table ${schema}.epoch (started timestamptz not null);
`
}

function keepingTables(schema: string): string {
  return `
create table ${schema}.sessions (
  client uuid primary key,
  sequence bigint not null,
  reply jsonb not null,
  used_at timestamptz not null
) with (fillfactor = 50);
create index sessions_by_use on ${schema}.sessions (used_at);

create table ${schema}.marks (at timestamptz primary key, revision bigint not null);

create table ${schema}.purge (
  id smallint primary key default 1 check (id = 1),
  revision bigint not null default 0,
  target bigint not null default 0,
  target_at timestamptz not null default clock_timestamp()
);
insert into ${schema}.purge default values;
`
}
