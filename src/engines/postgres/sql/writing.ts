/**
 * What changes keys. The caller holds the lock of the row of `meta`, and moves its revision. Nothing is changed before all that can be refused has been looked at, so a
 * refusal needs no rollback and leaves the other commands of the same statement alone.
 */
export function writing(schema: string): string {
  return refusalOfBranch(schema) + putKey(schema) + deleteKeys(schema) + applyTxn(schema) + endLeases(schema)
}

/** Why a branch cannot be applied as a whole: `{refused, ...}`; otherwise `{budget}`, the bytes that its ranges may add to the reply. */
function refusalOfBranch(schema: string): string {
  return `
create function ${schema}.refusal_of_branch(p_branch jsonb, p_meta ${schema}.meta, p_budget bigint) returns jsonb language plpgsql stable as $$
declare
  v_operation jsonb;
  v_refusal jsonb;
  v_lease bigint;
  v_budget bigint := p_budget;
begin
  for v_operation in select value from jsonb_array_elements(p_branch) loop
    if v_operation->>'op' = 'range' then
      v_refusal := ${schema}.refusal_of_range((v_operation->>'at')::bigint, p_meta.revision, p_meta.compact_revision);
      if v_refusal is not null then return v_refusal; end if;
      continue;
    end if;
    v_lease := (v_operation->>'lease')::bigint;
    if v_lease > 0 and not exists (select 1 from ${schema}.leases where id = v_lease) then
      return jsonb_build_object('refused', 'lease-not-found', 'lease', v_lease);
    end if;
    if v_operation ? 'previous' then
      v_budget := v_budget - coalesce((
        select sum(octet_length(key) + octet_length(value) + 32) from ${schema}.keys
        where key >= decode(v_operation->>'from', 'hex') and key < decode(v_operation->>'end', 'hex')), 0);
    end if;
  end loop;
  if v_budget < 0 then return jsonb_build_object('refused', 'too-large', 'limit', p_budget); end if;
  return jsonb_build_object('budget', v_budget);
end $$;
`
}

/** Lease -1: the one that the key has. */
function putKey(schema: string): string {
  return `
create function ${schema}.put_key(p_put jsonb, p_revision bigint) returns jsonb language plpgsql volatile as $$
declare
  v_key bytea := decode(p_put->>'from', 'hex');
  v_value bytea := decode(p_put->>'value', 'hex');
  v_lease bigint := coalesce((p_put->>'lease')::bigint, 0);
  v_old ${schema}.keys%rowtype;
  v_create bigint := p_revision;
  v_version bigint := 1;
begin
  select * into v_old from ${schema}.keys where key = v_key;
  if found then
    v_create := v_old.create_revision;
    v_version := v_old.version + 1;
    if v_lease = -1 then v_lease := v_old.lease; end if;
    update ${schema}.keys set value = v_value, mod_revision = p_revision, version = v_version, lease = v_lease where key = v_key;
  else
    if v_lease = -1 then v_lease := 0; end if;
    insert into ${schema}.keys values (v_key, v_value, p_revision, p_revision, 1, v_lease);
  end if;
  insert into ${schema}.history values (p_revision, v_key, v_create, v_version, v_lease, v_value);
  if v_version > 1 and p_put ? 'previous' then
    return jsonb_build_object('previous', ${schema}.key_value(
      v_old.key, v_old.value, v_old.create_revision, v_old.mod_revision, v_old.version, v_old.lease));
  end if;
  return '{}';
end $$;
`
}

function deleteKeys(schema: string): string {
  return `
create function ${schema}.delete_keys(p_delete jsonb, p_revision bigint) returns jsonb language plpgsql volatile as $$
declare
  v_count bigint;
  v_previous jsonb;
begin
  with gone as (
    delete from ${schema}.keys where key >= decode(p_delete->>'from', 'hex') and key < decode(p_delete->>'end', 'hex')
    returning *
  ), noted as (
    insert into ${schema}.history select p_revision, key, 0, 0, 0, null from gone
  )
  select count(*), case when p_delete ? 'previous' then coalesce(jsonb_agg(${schema}.key_value(
    key, value, create_revision, mod_revision, version, lease) order by key), '[]') end
  into v_count, v_previous from gone;
  if v_previous is null then return jsonb_build_object('deleted', v_count); end if;
  return jsonb_build_object('deleted', v_count, 'previous', v_previous);
end $$;
`
}

/** -> \`{revision, succeeded, replies}\` or \`{refused, ...}\`. The revision is one more than before when a key changed. */
function applyTxn(schema: string): string {
  return `
create function ${schema}.apply_txn(p_txn jsonb, p_meta ${schema}.meta, p_budget bigint) returns jsonb language plpgsql volatile as $$
declare
  v_held boolean := ${schema}.compares_hold(p_txn->'compare');
  v_branch jsonb := case when v_held then p_txn->'then' else p_txn->'else' end;
  v_next bigint := p_meta.revision + 1;
  v_changed boolean := false;
  v_budget bigint;
  v_operation jsonb;
  v_reply jsonb;
  v_replies jsonb[] := '{}';
begin
  v_reply := ${schema}.refusal_of_branch(v_branch, p_meta, p_budget);
  if v_reply ? 'refused' then return v_reply; end if;
  v_budget := (v_reply->>'budget')::bigint;
  for v_operation in select value from jsonb_array_elements(v_branch) loop
    case v_operation->>'op'
      when 'put' then
        v_reply := ${schema}.put_key(v_operation, v_next);
        v_changed := true;
      when 'delete' then
        v_reply := ${schema}.delete_keys(v_operation, v_next);
        v_changed := v_changed or (v_reply->>'deleted')::bigint > 0;
      else
        v_reply := ${schema}.range_reply(v_operation, v_budget);
        v_budget := v_budget - (v_reply->>'bytes')::bigint;
    end case;
    v_replies := v_replies || v_reply;
  end loop;
  return jsonb_build_object('revision', case when v_changed then v_next else p_meta.revision end,
    'succeeded', v_held, 'replies', to_jsonb(v_replies));
end $$;
`
}

/** Ends leases that exist and deletes their keys, all at one revision. Returns the newest revision afterwards. */
function endLeases(schema: string): string {
  return `
create function ${schema}.end_leases(p_leases bigint[], p_revision bigint) returns bigint language plpgsql volatile as $$
declare
  v_count bigint;
begin
  with gone as (
    delete from ${schema}.keys where lease = any(p_leases) and lease <> 0 returning key
  )
  insert into ${schema}.history select p_revision + 1, key, 0, 0, 0, null from gone;
  get diagnostics v_count = row_count;
  delete from ${schema}.leases where id = any(p_leases);
  return p_revision + (v_count > 0)::int;
end $$;
`
}
