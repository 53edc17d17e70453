/** Leases in time, and the length of the history: what clients call beside the commands of their users. */
export function keeping(schema: string, channel: string): string {
  return (
    keepAlive(schema) +
    refreshEpoch(schema) +
    sweepLeases(schema, channel) +
    compact(schema) +
    purgeHistory(schema) +
    markAndCompact(schema)
  )
}

/**
 * Renews the leases that have not ended by the clock of the server, and returns them. It needs no sync of the disk: after a crash, in which renewals may have been forgotten,
 * every lease begins anew. Takes locks in the order of the ids, so that two calls never wait for each other.
 */
function keepAlive(schema: string): string {
  return `
create function ${schema}.keep_alive(p_leases bigint[]) returns table (lease bigint, ttl bigint) language plpgsql volatile as $$
declare
  v_anew boolean := not exists (select 1 from ${schema}.epoch where started = pg_postmaster_start_time());
begin
  perform set_config('synchronous_commit', 'off', true);
  return query
    with held as (
      select id from ${schema}.leases where id = any(p_leases) order by id for update
    )
    update ${schema}.leases l set expires_at = clock_timestamp() + l.ttl_ms * interval '1 millisecond'
    from held where l.id = held.id and (v_anew or l.expires_at > clock_timestamp())
    returning l.id, l.ttl_ms;
end $$;
`
}

/** After a start of the server, a crash or a promotion every lease is given its full time anew: so none ends early because its holder could not renew it. The caller holds the lock of `meta`. */
function refreshEpoch(schema: string): string {
  return `
create function ${schema}.refresh_epoch() returns boolean language plpgsql volatile as $$
begin
  if exists (select 1 from ${schema}.epoch where started = pg_postmaster_start_time()) then return false; end if;
  perform 1 from ${schema}.leases order by id for update;
  update ${schema}.leases set expires_at = clock_timestamp() + ttl_ms * interval '1 millisecond';
  delete from ${schema}.epoch;
  insert into ${schema}.epoch values (pg_postmaster_start_time());
  return true;
end $$;
`
}

/**
 * Ends at most `p_max` leases whose time is over, at one revision. Any client may call it at any time: who finds another at it leaves it to that one. A lease that is being renewed is
 * passed over. Returns the milliseconds until the next lease ends; null when there is none.
 */
function sweepLeases(schema: string, channel: string): string {
  return `
create function ${schema}.sweep_leases(p_max int) returns double precision language plpgsql volatile as $$
declare
  v_first timestamptz;
  v_revision bigint;
  v_next bigint;
  v_expired bigint[];
  v_is_current boolean := exists (select 1 from ${schema}.epoch where started = pg_postmaster_start_time());
begin
  select min(expires_at) into v_first from ${schema}.leases;
  if v_is_current and v_first is null then return null; end if;
  if v_is_current and v_first > clock_timestamp() then return extract(epoch from v_first - clock_timestamp()) * 1000; end if;
  if not pg_try_advisory_xact_lock(hashtextextended('${channel}_sweep', 0)) then return 100; end if;
  if current_setting('synchronous_commit') = 'off' then
    perform set_config('synchronous_commit', 'on', true);
  end if;
  select revision into strict v_revision from ${schema}.meta for update;
  if ${schema}.refresh_epoch() then return 0; end if;
  select array_agg(e.id) into v_expired from (
    select id from ${schema}.leases where expires_at <= clock_timestamp() order by expires_at limit p_max for update skip locked
  ) e;
  if v_expired is null then return 10; end if;
  v_next := ${schema}.end_leases(v_expired, v_revision);
  if v_next > v_revision then
    update ${schema}.meta set revision = v_next;
    perform pg_notify('${channel}', v_next::text);
  end if;
  return case when cardinality(v_expired) = p_max then 20 else 0 end;
end $$;
`
}

/** -> `{compactRevision}` or `{refused, ...}`. Rows are cleared afterwards, by `purge_history`. */
function compact(schema: string): string {
  return `
create function ${schema}.compact(p_revision bigint) returns jsonb language plpgsql volatile as $$
declare
  v_meta ${schema}.meta%rowtype;
begin
  if current_setting('synchronous_commit') = 'off' then
    perform set_config('synchronous_commit', 'on', true);
  end if;
  select * into strict v_meta from ${schema}.meta for update;
  if p_revision > v_meta.revision then
    return jsonb_build_object('refused', 'future-revision', 'asked', p_revision, 'newest', v_meta.revision);
  end if;
  if p_revision <= v_meta.compact_revision then return jsonb_build_object('compactRevision', v_meta.compact_revision); end if;
  update ${schema}.meta set compact_revision = p_revision;
  return jsonb_build_object('compactRevision', p_revision);
end $$;
`
}

/**
 * Clears what the events of at most `p_revisions` compacted revisions have replaced, and their deletions; but only once they have been compacted for `p_grace_ms`, so that watches that are up to date can
 * read what was compacted right after it happened. One client at a time; holds no lock that a command waits for. Returns whether there is more to clear, now or soon.
 */
function purgeHistory(schema: string): string {
  return `
create function ${schema}.purge_history(p_revisions bigint, p_grace_ms bigint) returns boolean language plpgsql volatile as $$
declare
  v_purge ${schema}.purge%rowtype;
  v_compact bigint;
  v_to bigint;
begin
  select * into v_purge from ${schema}.purge for update skip locked;
  if not found then return false; end if;
  if v_purge.revision >= v_purge.target then
    select compact_revision into v_compact from ${schema}.meta;
    if v_purge.revision >= v_compact then return false; end if;
    update ${schema}.purge set target = v_compact, target_at = clock_timestamp();
    return true;
  end if;
  if v_purge.target_at > clock_timestamp() - p_grace_ms * interval '1 millisecond' then return true; end if;
  v_to := least(v_purge.target, v_purge.revision + p_revisions);
  delete from ${schema}.history h using ${schema}.history n
    where n.revision > v_purge.revision and n.revision <= v_to and h.key = n.key and h.revision < n.revision;
  delete from ${schema}.history h where h.revision > v_purge.revision and h.revision <= v_to and h.version = 0;
  update ${schema}.purge set revision = v_to;
  return v_to < v_purge.target;
end $$;
`
}

/**
 * Remembers which revision is the newest now, and compacts by number (at one and a half times `p_keep_revisions`, down to it) and by age. 0: not by that. Forgets clients that have sent
 * nothing for a day.
 */
function markAndCompact(schema: string): string {
  return `
create function ${schema}.mark_and_compact(p_keep_revisions bigint, p_keep_ms bigint) returns void language plpgsql volatile as $$
declare
  v_meta ${schema}.meta%rowtype;
  v_to bigint := 0;
  v_old bigint;
begin
  if not pg_try_advisory_xact_lock(hashtextextended('${schema}_marks', 0)) then return; end if;
  select * into strict v_meta from ${schema}.meta;
  if p_keep_revisions > 0 and v_meta.revision - v_meta.compact_revision > p_keep_revisions * 3 / 2 then
    v_to := v_meta.revision - p_keep_revisions;
  end if;
  if p_keep_ms > 0 then
    insert into ${schema}.marks values (clock_timestamp(), v_meta.revision) on conflict do nothing;
    select max(revision) into v_old from ${schema}.marks where at < clock_timestamp() - p_keep_ms * interval '1 millisecond';
    delete from ${schema}.marks where revision < v_old;
    v_to := greatest(v_to, coalesce(v_old, 0));
  end if;
  if v_to > v_meta.compact_revision then perform ${schema}.compact(v_to); end if;
  delete from ${schema}.sessions where used_at < clock_timestamp() - interval '1 day';
end $$;
`
}
