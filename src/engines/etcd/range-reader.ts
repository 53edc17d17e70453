import { AlthingError, isAlthingError } from '../../contracts/errors.ts'
import {
  type CallOptions,
  type KeyRange,
  type KeyValue,
  type RangeReply,
  type RangeRequest,
  type ReadOptions,
  storeLimits,
} from '../../contracts/store.ts'
import { type EtcdCalls, unary } from './calls.ts'
import { etcdRange, etcdRangeRequest, rangeReplyOf } from './key-ranges.ts'
import { methods } from './messages.ts'
import { revisionOf } from './txn-plan.ts'

/** Keys asked for at once where a reply of all of them may be too large: as many as fit in a message, each with the largest value that etcd takes by default. */
const pageKeys = 32

/** Reads of ranges: of any size, and of what etcd does not tell by itself. */
export class RangeReader {
  readonly #calls: EtcdCalls

  constructor(calls: EtcdCalls) {
    this.#calls = calls
  }

  async range(request: RangeRequest, options: ReadOptions): Promise<RangeReply> {
    try {
      return await this.#rangeAtOnce(request, options)
    } catch (error) {
      if (isAlthingError(error, 'too-large')) return await this.#rangeInPages(request, options)
      throw await this.explained(error, request.revision, options)
    }
  }

  /** All keys of a range, at one revision. */
  async whole(range: KeyRange, options: CallOptions): Promise<RangeReply> {
    const kvs: KeyValue[] = []
    let reply = await this.range({ ...range }, options)
    const { revision, count } = reply
    for (;;) {
      for (const kv of reply.kvs) kvs.push(kv)
      const last = reply.kvs.at(-1)
      if (!reply.more || last === undefined) return { revision, count, kvs, more: false }
      reply = await this.range({ ...range, key: `${last.key}\u0000`, revision }, options)
    }
  }

  /** The store's newest revision, as the quorum knows it. */
  async newestRevision(options: CallOptions): Promise<number> {
    const response = await this.#calls.make({
      repetition: 'read',
      options,
      attempt: unary(methods.range, { ...etcdRange({ key: '' }), countOnly: true }),
    })
    return revisionOf(response)
  }

  /**
   * The oldest revision that can be read. etcd tells it to nobody who asks, so it is found by trying: below it reads are refused. `compacted` is one that is
   * known to be; so the answer is above it.
   */
  async oldestRevision(compacted: number, options: CallOptions): Promise<number> {
    let below = compacted
    let at = await this.newestRevision(options)
    while (at - below > 1) {
      const middle = below + Math.floor((at - below) / 2)
      if (await this.#isReadable(middle, options)) at = middle
      else below = middle
    }
    return at
  }

  /**
   * Whether the store was ever compacted, if only to revision 1, below which there is nothing to be refused. In a transaction etcd compares any revision but 0 with the one that it
   * was compacted to (-1 where there was none), and then reads the newest for a negative one.
   */
  async wasCompacted(options: CallOptions): Promise<boolean> {
    const read = { ...etcdRange({ key: '' }), revision: -1, countOnly: true }
    try {
      await this.#calls.make({
        repetition: 'read',
        options,
        attempt: unary(methods.txn, { compare: [], success: [{ range: read }], failure: [] }),
      })
      return false
    } catch (error) {
      if (isAlthingError(error, 'compacted')) return true
      throw error
    }
  }

  /** A refusal because of compaction, with what can be read: `details.compactRevision`. Other errors as they are. */
  async explained(error: unknown, revision: number | undefined, options: CallOptions): Promise<unknown> {
    if (!isAlthingError(error, 'compacted') || revision === undefined) return error
    const compactRevision = await this.oldestRevision(revision, options).catch(() => undefined)
    if (compactRevision === undefined) return error
    const { outcome, cause } = error
    return new AlthingError(
      'compacted',
      `revision ${revision} has been compacted: the oldest that can be read is ${compactRevision}`,
      { cause, details: { compactRevision }, ...(outcome === undefined ? {} : { outcome }) },
    )
  }

  async #isReadable(revision: number, options: CallOptions): Promise<boolean> {
    try {
      await this.#rangeAtOnce({ key: '', revision, countOnly: true }, options)
      return true
    } catch (error) {
      if (isAlthingError(error, 'compacted')) return false
      throw error
    }
  }

  async #rangeAtOnce(request: RangeRequest, options: ReadOptions): Promise<RangeReply> {
    const isSerializable = options.consistency === 'serializable'
    const response = await this.#calls.make({
      repetition: 'read',
      needsLeader: !isSerializable,
      options,
      attempt: unary(methods.range, etcdRangeRequest(request, isSerializable)),
    })
    const budget = { bytes: storeLimits.rangeReplyBytesMax }
    return { revision: revisionOf(response), ...rangeReplyOf(response, budget) }
  }

  /** As much as a reply may hold, in steps that fit in a message each. */
  async #rangeInPages(request: RangeRequest, options: ReadOptions): Promise<RangeReply> {
    const first = await this.#rangeAtOnce({ ...request, limit: pageKeys }, options)
    const kvs = [...first.kvs]
    const limit = request.limit === undefined || request.limit === 0 ? first.count : request.limit
    let bytes = bytesOf(first.kvs)
    let page = first
    while (page.more && kvs.length < limit) {
      const after = { ...rangeAfter(request, kvs.at(-1)), revision: request.revision ?? first.revision }
      page = await this.#rangeAtOnce({ ...request, ...after, limit: pageKeys }, options)
      for (const kv of page.kvs) {
        bytes += bytesOf([kv])
        if (bytes > storeLimits.rangeReplyBytesMax || kvs.length >= limit)
          return { ...first, kvs, more: true }
        kvs.push(kv)
      }
    }
    return { ...first, kvs, more: kvs.length < first.count }
  }
}

function rangeAfter(request: RangeRequest, last: KeyValue | undefined): KeyRange {
  if (last === undefined) return request
  if (request.order === 'descending') return { key: request.key, end: last.key }
  return {
    key: `${last.key}\u0000`,
    ...(request.end === undefined ? {} : { end: request.end }),
  }
}

function bytesOf(kvs: readonly KeyValue[]): number {
  return kvs.reduce((sum, kv) => sum + kv.key.length + kv.value.byteLength, 0)
}
