/**
 * Transactions of one put each, without a comparison and a lease: the commonest ones, without the cost of a command's JSON and of looking for what could be refused. Under the same lock,
 * the same numbering of batches and the same durability as `apply_batch` (see there).
 *
 * -> the revision of the first; each of the others has the next one.
 *
 * The index that is dropped stood in the way of replacing a client's row in its place; the table has a row for each client, and is gone through once in a while.
 */
export function putting(schema: string, channel: string): string {
  return `
drop index ${schema}.sessions_by_use;

create function ${schema}.apply_puts(p_client uuid, p_sequence bigint, p_keys bytea[], p_values bytea[]) returns bigint language plpgsql volatile as $$
declare
  v_session ${schema}.sessions%rowtype;
  v_before bigint;
  v_revision bigint;
  v_create bigint;
  v_version bigint;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception 'althing needs the isolation level read committed, but this transaction has %', current_setting('transaction_isolation')
      using errcode = 'invalid_transaction_state';
  end if;
  if current_setting('synchronous_commit') = 'off' then
    perform set_config('synchronous_commit', 'on', true);
  end if;
  -- The lock. What is looked at afterwards is as the last holder left it.
  update ${schema}.meta set revision = revision + cardinality(p_keys) returning revision - cardinality(p_keys) into strict v_before;
  update ${schema}.sessions set sequence = p_sequence, reply = to_jsonb(v_before + 1), used_at = clock_timestamp()
    where client = p_client and sequence < p_sequence;
  if not found then
    select * into v_session from ${schema}.sessions where client = p_client;
    if v_session.sequence > p_sequence then
      raise exception 'batch % of a client came after its batch %', p_sequence, v_session.sequence using errcode = 'object_not_in_prerequisite_state';
    end if;
    if v_session.sequence = p_sequence then
      update ${schema}.meta set revision = v_before;
      return v_session.reply::bigint;
    end if;
    insert into ${schema}.sessions values (p_client, p_sequence, to_jsonb(v_before + 1), clock_timestamp());
  end if;
  v_revision := v_before;
  for v_place in 1 .. cardinality(p_keys) loop
    v_revision := v_revision + 1;
    insert into ${schema}.keys as k values (p_keys[v_place], p_values[v_place], v_revision, v_revision, 1, 0)
      on conflict (key) do update set value = excluded.value, mod_revision = excluded.mod_revision, version = k.version + 1, lease = 0
      returning k.create_revision, k.version into v_create, v_version;
    insert into ${schema}.history values (v_revision, p_keys[v_place], v_create, v_version, 0, p_values[v_place]);
  end loop;
  perform pg_notify('${channel}', v_revision::text);
  return v_before + 1;
end $$;
`
}
