import type { KeyValue, OperationReply, TxnReply, WatchBatch, WatchEvent } from '../../contracts/store.ts'

/**
 * What an embedded store hands out must be the caller's own: the model's keys and values are its state, and bytes that a caller changes would change the
 * store behind its log.
 */
export function ownKeyValue(kv: KeyValue): KeyValue {
  return { ...kv, value: new Uint8Array(kv.value) }
}

export function ownTxnReply(reply: TxnReply): TxnReply {
  return { ...reply, replies: reply.replies.map(ownReply) }
}

export function ownBatch(batch: WatchBatch): WatchBatch {
  if (batch.kind === 'events') return { ...batch, events: batch.events.map(ownEvent) }
  if (batch.kind === 'resync') return { ...batch, kvs: batch.kvs.map(ownKeyValue) }
  return batch
}

function ownReply(reply: OperationReply): OperationReply {
  if (reply.op === 'range') return { ...reply, kvs: reply.kvs.map(ownKeyValue) }
  if (reply.previous === undefined) return reply
  if (reply.op === 'put') return { ...reply, previous: ownKeyValue(reply.previous) }
  return { ...reply, previous: reply.previous.map(ownKeyValue) }
}

function ownEvent(event: WatchEvent): WatchEvent {
  const previous = event.previous === undefined ? {} : { previous: ownKeyValue(event.previous) }
  return event.type === 'put'
    ? { ...event, kv: ownKeyValue(event.kv), ...previous }
    : { ...event, ...previous }
}
