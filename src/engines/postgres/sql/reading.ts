/**
 * The reading half of a transaction, in the server. The functions are STABLE: called by themselves they see one moment; called by a changing function they see what
 * it has done so far. Byte strings come and go as hexadecimal text.
 */
export function reading(schema: string): string {
  return (
    keyValue(schema) + comparesHold(schema) + rangeReply(schema) + refusalOfRange(schema) + readTxn(schema)
  )
}

function keyValue(schema: string): string {
  return `
create function ${schema}.key_value(
  p_key bytea, p_value bytea, p_create bigint, p_mod bigint, p_version bigint, p_lease bigint
) returns jsonb language sql immutable as $$
  select jsonb_build_array(encode(p_key, 'hex'), encode(p_value, 'hex'), p_create, p_mod, p_version, p_lease)
$$;
`
}

/** \`p_compares\`: [[target, key, operator, value], ...]. Whether all hold. */
function comparesHold(schema: string): string {
  return `
create function ${schema}.compares_hold(p_compares jsonb) returns boolean language plpgsql stable as $$
declare
  v_compare jsonb;
  v_kv ${schema}.keys%rowtype;
  v_has numeric;
  v_sign int;
begin
  for v_compare in select value from jsonb_array_elements(p_compares) loop
    select * into v_kv from ${schema}.keys where key = decode(v_compare->>1, 'hex');
    if v_compare->>0 = 'value' then
      if not found then return false; end if;
      v_sign := case when v_kv.value < decode(v_compare->>3, 'hex') then -1
                     when v_kv.value = decode(v_compare->>3, 'hex') then 0 else 1 end;
    else
      v_has := coalesce(case v_compare->>0
        when 'version' then v_kv.version
        when 'createRevision' then v_kv.create_revision
        when 'modRevision' then v_kv.mod_revision
        when 'lease' then v_kv.lease end, 0);
      v_sign := sign(v_has - (v_compare->>3)::numeric);
    end if;
    if not (case v_compare->>2 when '=' then v_sign = 0 when '!=' then v_sign <> 0 when '<' then v_sign < 0 else v_sign > 0 end) then
      return false;
    end if;
  end loop;
  return true;
end $$;
`
}

/** One range of a transaction: \`{from, end, at?, limit?, descending?, keysOnly?, countOnly?}\` -> \`{kvs, count, more, bytes}\`. */
function rangeReply(schema: string): string {
  return `
create function ${schema}.range_reply(p_range jsonb, p_budget bigint) returns jsonb language plpgsql stable as $$
declare
  v_from bytea := decode(p_range->>'from', 'hex');
  v_end bytea := decode(p_range->>'end', 'hex');
  v_at bigint := (p_range->>'at')::bigint;
  v_limit bigint := nullif((p_range->>'limit')::bigint, 0);
  v_descending boolean := coalesce((p_range->>'descending')::boolean, false);
  v_keys_only boolean := coalesce((p_range->>'keysOnly')::boolean, false);
  v_count_only boolean := coalesce((p_range->>'countOnly')::boolean, false);
  v_count bigint;
  v_shown bigint;
  v_bytes bigint;
  v_kvs jsonb;
begin
  with found as materialized (
    select k.key, k.value, k.create_revision, k.mod_revision, k.version, k.lease
    from ${schema}.keys k where v_at is null and k.key >= v_from and k.key < v_end
    union all
    select h.key, h.value, h.create_revision, h.revision, h.version, h.lease from (
      select distinct on (o.key) o.* from ${schema}.history o
      where v_at is not null and o.key >= v_from and o.key < v_end and o.revision <= v_at
      order by o.key, o.revision desc
    ) h where h.version > 0
  ), placed as (
    select f.*, row_number() over w as place,
      sum(octet_length(f.key) + case when v_keys_only then 0 else octet_length(f.value) end + 32) over w as bytes
    from found f where not v_count_only
    window w as (order by case when v_descending then f.key end desc, case when not v_descending then f.key end rows unbounded preceding)
  )
  select (select count(*) from found), count(*), coalesce(max(p.bytes), 0), coalesce(jsonb_agg(
    ${schema}.key_value(p.key, case when v_keys_only then '' else p.value end, p.create_revision, p.mod_revision, p.version, p.lease)
    order by p.place), '[]')
  into v_count, v_shown, v_bytes, v_kvs
  from placed p where (v_limit is null or p.place <= v_limit) and p.bytes <= p_budget;
  return jsonb_build_object('kvs', v_kvs, 'count', v_count, 'more', not v_count_only and v_shown < v_count, 'bytes', v_bytes);
end $$;
`
}

/** Why a read at an older revision cannot be made; null when it can. */
function refusalOfRange(schema: string): string {
  return `
create function ${schema}.refusal_of_range(p_at bigint, p_revision bigint, p_compact bigint) returns jsonb language sql immutable as $$
  select case
    when p_at > p_revision then jsonb_build_object('refused', 'future-revision', 'asked', p_at, 'newest', p_revision)
    when p_at < p_compact then jsonb_build_object('refused', 'compacted', 'asked', p_at, 'compactRevision', p_compact)
  end
$$;
`
}

/** A transaction that only reads, at the moment of the calling statement. */
function readTxn(schema: string): string {
  return `
create function ${schema}.read_txn(p_txn jsonb, p_budget bigint) returns jsonb language plpgsql stable as $$
declare
  v_meta ${schema}.meta%rowtype;
  v_held boolean;
  v_operation jsonb;
  v_reply jsonb;
  v_budget bigint := p_budget;
  v_replies jsonb[] := '{}';
begin
  select * into v_meta from ${schema}.meta;
  v_held := ${schema}.compares_hold(p_txn->'compare');
  for v_operation in select value from jsonb_array_elements(case when v_held then p_txn->'then' else p_txn->'else' end) loop
    v_reply := ${schema}.refusal_of_range((v_operation->>'at')::bigint, v_meta.revision, v_meta.compact_revision);
    if v_reply is not null then return v_reply; end if;
    v_reply := ${schema}.range_reply(v_operation, v_budget);
    v_budget := v_budget - (v_reply->>'bytes')::bigint;
    v_replies := v_replies || v_reply;
  end loop;
  return jsonb_build_object('revision', v_meta.revision, 'succeeded', v_held, 'replies', to_jsonb(v_replies));
end $$;
`
}
