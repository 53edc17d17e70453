import type { ByteString } from '../../base/bytes.ts'
import { AlthingError, isAlthingError } from '../../contracts/errors.ts'
import type {
  CallOptions,
  KeyRange,
  KeyValue,
  RangeReply,
  RangeRequest,
  ReadOptions,
} from '../../contracts/store.ts'
import { storeLimits } from '../../contracts/store.ts'
import { assertSameRun, ChangesReader } from './changes.ts'
import { boundArgs, flag } from './command-args.ts'
import type { Attempt, Connections } from './connections.ts'
import { keyValueOf, type RawKeyValue, versionField, versionOf } from './key-values.ts'
import { compactedError, futureRevisionError } from './refusals.ts'
import { type Script, scripts } from './script.ts'

/** Of one script: others wait for it. */
const pageKeysMax = 2_000
const pageBytesMax = 1024 * 1024
const versionsMax = 500

interface Page {
  readonly run: string
  readonly revision: number
  readonly compactRevision: number
  readonly count: number
  readonly more: boolean
  readonly kvs: readonly KeyValue[]
}

/** A version that a reply shows. */
interface Shown {
  readonly key: ByteString
  readonly modRevision: number
  /** Known where the page that showed it said so. */
  readonly head?: KeyValue
}

/** What a reply holds. */
interface Bounds {
  readonly limit: number
  readonly bytesMax: number
}

/**
 * Ranges. What fits into one page is read by one script. Everything else is read in pieces, at one revision all the same: the pages show the keys as they are while they are read, and the log says how those that have changed
 * since were at that revision. A version never changes.
 */
export class RangeReader {
  readonly #connections: Connections
  readonly #changes: ChangesReader

  constructor(connections: Connections) {
    this.#connections = connections
    this.#changes = new ChangesReader(connections)
  }

  range(request: RangeRequest, options: ReadOptions, timeoutMs: number): Promise<RangeReply> {
    const limit = request.limit === undefined || request.limit === 0 ? Infinity : request.limit
    return this.#repeat(options, timeoutMs, (attempt) =>
      this.#read(attempt, request, { limit, bytesMax: storeLimits.rangeReplyBytesMax }),
    )
  }

  /** All of a range as it is now, whatever its size. */
  whole(range: KeyRange, options: CallOptions, timeoutMs: number): Promise<RangeReply> {
    return this.#repeat(options, timeoutMs, (attempt) =>
      this.#read(attempt, range, { limit: Infinity, bytesMax: Infinity }),
    )
  }

  #repeat<T>(options: CallOptions, timeoutMs: number, read: (attempt: Attempt) => Promise<T>): Promise<T> {
    return this.#connections.repeat(options, timeoutMs, async (attempt) => ({ value: await read(attempt) }))
  }

  async #read(attempt: Attempt, request: RangeRequest, bounds: Bounds): Promise<RangeReply> {
    const isOlder = request.revision !== undefined
    const keysMax = isOlder || request.countOnly === true ? 0 : Math.min(bounds.limit, pageKeysMax)
    const first = await this.#page(attempt, request, keysMax)
    const at = request.revision ?? first.revision
    if (at > first.revision) throw futureRevisionError(at, first.revision)
    if (at < first.compactRevision) throw compactedError(at, first.compactRevision)
    const { revision, count, kvs } = first
    const isWhole =
      at === revision && (request.countOnly === true || !first.more || kvs.length >= bounds.limit)
    if (isWhole) return { revision, count, kvs, more: request.countOnly !== true && kvs.length < count }
    try {
      return await this.#readAt(attempt, { ...request, revision: at }, bounds, first)
    } catch (error) {
      // Who asked for the newest did not choose the revision: a newer one does as well.
      if (isOlder || !isAlthingError(error) || error.code !== 'compacted') throw error
      throw new AlthingError('unavailable', 'what was being read was compacted away meanwhile', {
        cause: error,
      })
    }
  }

  /** In pieces. `first` was read from the same history, and tells the number of keys where it is of the revision that is read. */
  async #readAt(
    attempt: Attempt,
    request: RangeRequest & { readonly revision: number },
    bounds: Bounds,
    first: Page,
  ): Promise<RangeReply> {
    const { revision: at } = request
    const known = at === first.revision ? first.count : undefined
    const enough = known === undefined ? { limit: Infinity, bytesMax: Infinity } : bounds
    const current = await this.#currentAt(attempt, request, enough, first.run)
    const before = await this.#changes.before(attempt, current.span, at, current.newest, first.run)
    const all: Shown[] = current.shown.filter(({ key }) => !before.has(key))
    for (const [key, modRevision] of before) if (modRevision > 0) all.push({ key, modRevision })
    all.sort((a, b) => (a.key < b.key ? -1 : 1))
    if (request.order === 'descending') all.reverse()
    const count = known ?? all.length
    if (request.countOnly === true) return { revision: first.revision, count, kvs: [], more: false }
    const shown = bounds.limit < all.length ? all.slice(0, bounds.limit) : all
    const kvs = await this.#versions(attempt, shown, request, bounds.bytesMax, first.run)
    return { revision: first.revision, count, kvs, more: kvs.length < count }
  }

  /** The keys that have not changed since, as far as they are needed; and which part of the range that is. */
  async #currentAt(
    attempt: Attempt,
    request: RangeRequest & { readonly revision: number },
    enough: Bounds,
    run: string,
  ): Promise<{ readonly shown: Shown[]; readonly span: KeyRange; readonly newest: number }> {
    const shown: Shown[] = []
    let bytes = 0
    let newest = request.revision
    let rest: KeyRange = request
    for (;;) {
      const page = await this.#page(attempt, { ...request, ...rest, keysOnly: true }, pageKeysMax)
      assertSameRun(run, page.run)
      newest = Math.max(newest, page.revision)
      for (const kv of page.kvs) {
        if (kv.modRevision > request.revision) continue
        bytes += kv.key.length + 32
        shown.push({ key: kv.key, modRevision: kv.modRevision, head: kv })
      }
      const last = page.kvs.at(-1)?.key
      if (!page.more || last === undefined) return { shown, span: request, newest }
      const isDescending = request.order === 'descending'
      rest = isDescending ? { key: request.key, end: last } : { ...endOf(request), key: `${last}\u0000` }
      if (shown.length < enough.limit && bytes <= enough.bytesMax) continue
      // What is shown is complete up to the last key that was looked at.
      return {
        shown,
        newest,
        span: isDescending ? { ...endOf(request), key: last } : { key: request.key, end: `${last}\u0000` },
      }
    }
  }

  async #page(attempt: Attempt, request: RangeRequest, keysMax: number): Promise<Page> {
    const [run, revision, compactRevision, count, more, kvs] = (await this.#run(attempt, scripts.page, [
      ...boundArgs(request),
      flag(request.order === 'descending'),
      flag(request.keysOnly),
      String(keysMax),
      String(pageBytesMax),
    ])) as [Buffer, number, number, number, number, RawKeyValue[]]
    return {
      run: run.toString(),
      revision,
      compactRevision,
      count,
      // One key alone may be larger than a page.
      more: more === 1 || (keysMax === 0 && count > 0),
      kvs: kvs.map(keyValueOf),
    }
  }

  async #versions(
    attempt: Attempt,
    shown: readonly Shown[],
    request: RangeRequest & { readonly revision: number },
    bytesMax: number,
    run: string,
  ): Promise<KeyValue[]> {
    const kvs: KeyValue[] = []
    let bytes = 0
    const fits = (kv: KeyValue): boolean => {
      bytes += kv.key.length + kv.value.byteLength + 32
      return bytes <= bytesMax
    }
    for (let next = 0; next < shown.length; ) {
      const wanted = shown.slice(next, next + versionsMax)
      const heads = wanted.map(({ head }) => head).filter((head) => head !== undefined)
      if (request.keysOnly === true && heads.length === wanted.length) {
        for (const head of heads)
          if (fits(head)) kvs.push(head)
          else return kvs
        next += wanted.length
        continue
      }
      const records = await this.#records(attempt, wanted, request.revision, run)
      for (const [i, record] of records.entries()) {
        const { key, modRevision } = wanted[i] as Shown
        const kv = versionOf(key, modRevision, record)
        const asked = request.keysOnly === true ? { ...kv, value: new Uint8Array(0) } : kv
        if (!fits(asked)) return kvs
        kvs.push(asked)
      }
      next += records.length
    }
    return kvs
  }

  async #records(
    attempt: Attempt,
    wanted: readonly Shown[],
    revision: number,
    run: string,
  ): Promise<readonly Buffer[]> {
    const fields = wanted.map(({ key, modRevision }) => versionField(modRevision, key))
    const [nowRun, purged, ...records] = (await this.#run(attempt, scripts.versions, [
      String(pageBytesMax),
      ...fields,
    ])) as [Buffer, number, ...Buffer[]]
    assertSameRun(run, nowRun.toString())
    if (purged > revision) throw compactedError(revision, purged)
    return records
  }

  async #run(attempt: Attempt, script: Script, args: readonly (string | Buffer)[]): Promise<unknown> {
    const tried = await this.#connections.try({ script, args }, attempt)
    if ('failure' in tried) throw tried.failure.error
    return tried.answer
  }
}

function endOf(range: KeyRange): { readonly end?: ByteString | null } {
  return range.end === undefined ? {} : { end: range.end }
}
