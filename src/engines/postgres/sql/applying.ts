/**
 * One statement, one database transaction: the commands of a batch, each whole and at a revision of its own, in order.
 *
 * - The lock of the row of `meta` is held to the commit: revisions are given in one order, and become visible in it.
 * - A batch carries its client and a number that grows. A repeat of the last one is answered from `sessions` and changes nothing; one that comes after a later
 *   one (a copy that hung in the network) is refused.
 * - It is on the disk when it is acknowledged, even where the role or the database has `synchronous_commit = off`.
 *
 * `p_commands`: [{type: 'txn', compare, then, else} | {type: 'grantLease', ttlMs} | {type: 'revokeLease', lease}, ...] -> the replies, in the same order.
 */
export function applying(schema: string, channel: string): string {
  return `
create function ${schema}.apply_batch(p_client uuid, p_sequence bigint, p_commands jsonb, p_budget bigint) returns jsonb language plpgsql volatile as $$
declare
  v_before ${schema}.meta%rowtype;
  v_meta ${schema}.meta%rowtype;
  v_session ${schema}.sessions%rowtype;
  v_command jsonb;
  v_lease bigint;
  v_reply jsonb;
  v_replies jsonb[] := '{}';
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception 'althing needs the isolation level read committed, but this transaction has %', current_setting('transaction_isolation')
      using errcode = 'invalid_transaction_state';
  end if;
  if current_setting('synchronous_commit') = 'off' then
    perform set_config('synchronous_commit', 'on', true);
  end if;
  select * into strict v_before from ${schema}.meta for update;
  select * into v_session from ${schema}.sessions where client = p_client;
  if v_session.sequence = p_sequence then return v_session.reply; end if;
  if v_session.sequence > p_sequence then
    raise exception 'batch % of a client came after its batch %', p_sequence, v_session.sequence using errcode = 'object_not_in_prerequisite_state';
  end if;
  v_meta := v_before;
  for v_command in select value from jsonb_array_elements(p_commands) loop
    case v_command->>'type'
      when 'txn' then
        v_reply := ${schema}.apply_txn(v_command, v_meta, p_budget);
        v_meta.revision := coalesce((v_reply->>'revision')::bigint, v_meta.revision);
      when 'grantLease' then
        v_reply := jsonb_build_object('lease', v_meta.next_lease, 'ttlMs', v_command->'ttlMs');
        insert into ${schema}.leases values (v_meta.next_lease, (v_command->>'ttlMs')::bigint,
          clock_timestamp() + (v_command->>'ttlMs')::bigint * interval '1 millisecond');
        v_meta.next_lease := v_meta.next_lease + 1;
      when 'revokeLease' then
        v_lease := (v_command->>'lease')::bigint;
        if exists (select 1 from ${schema}.leases where id = v_lease) then
          v_meta.revision := ${schema}.end_leases(array[v_lease], v_meta.revision);
          v_reply := jsonb_build_object('revision', v_meta.revision);
        else
          v_reply := jsonb_build_object('refused', 'lease-not-found', 'lease', v_lease);
        end if;
    end case;
    v_replies := v_replies || v_reply;
  end loop;
  v_reply := to_jsonb(v_replies);
  if v_meta <> v_before then
    update ${schema}.meta set revision = v_meta.revision, next_lease = v_meta.next_lease;
  end if;
  if v_meta.revision > v_before.revision then perform pg_notify('${channel}', v_meta.revision::text); end if;
  insert into ${schema}.sessions values (p_client, p_sequence, v_reply, clock_timestamp())
    on conflict (client) do update set sequence = p_sequence, reply = v_reply, used_at = clock_timestamp();
  return v_reply;
end $$;
`
}
