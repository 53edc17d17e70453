import type { ByteString } from '../../base/bytes.ts'
import type { KeyRange, KeyValue, RangeReply, RangeRequest } from '../../contracts/store.ts'
import { keyValueBytes, type ReplyBudget } from '../../models/store/key-space.ts'
import { type EtcdRangeRequest, type EtcdRangeResponse, sortOrder } from './messages.ts'

export interface EtcdRange {
  readonly key: ByteString
  readonly rangeEnd: ByteString
}

const firstKey = '\u0000'
/** As `rangeEnd`: no end. */
const noEnd = '\u0000'
/** A range that holds nothing, in a form that etcd takes: it has no empty keys, and reads an end of one zero byte as none. */
const nothing: EtcdRange = { key: '\u0001', rangeEnd: '\u0001' }

/** etcd's way to say a range: no empty key, an empty end for one key, an end of one zero byte for none. */
export function etcdRange({ key, end }: KeyRange): EtcdRange {
  if (end === undefined) return key === '' ? nothing : { key, rangeEnd: '' }
  const from = key === '' ? firstKey : key
  if (end === null) return { key: from, rangeEnd: noEnd }
  return end <= from ? nothing : { key: from, rangeEnd: end }
}

export function etcdRangeRequest(request: RangeRequest, isSerializable: boolean): EtcdRangeRequest {
  const { limit = 0, revision = 0, order, keysOnly = false, countOnly = false } = request
  return {
    ...etcdRange(request),
    ...(limit === 0 ? {} : { limit }),
    ...(revision === 0 ? {} : { revision }),
    ...(order === 'descending' ? { sortOrder: sortOrder.descending } : {}),
    ...(isSerializable ? { serializable: true } : {}),
    ...(keysOnly ? { keysOnly } : {}),
    ...(countOnly ? { countOnly } : {}),
  }
}

/** What etcd found, as far as it fits into `budget`. */
export function rangeReplyOf(response: EtcdRangeResponse, budget: ReplyBudget): Omit<RangeReply, 'revision'> {
  const kvs: KeyValue[] = []
  let more = response.more
  for (const kv of response.kvs) {
    const bytes = keyValueBytes(kv)
    if (bytes > budget.bytes) {
      more = true
      break
    }
    budget.bytes -= bytes
    kvs.push(kv)
  }
  return { kvs, count: response.count, more }
}
