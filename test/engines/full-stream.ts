import { expect } from 'vitest'
import { isAlthingError } from '../../src/contracts/errors.ts'
import type { Operation, Store, WatchBatch } from '../../src/contracts/store.ts'
import type { TcpProxy } from './servers/tcp-proxy.ts'

const mebibyte = 1024 * 1024
const txns = 60
const keysOfTxn = 50
const valueBytes = 16 * 1024
/** What a client may have taken over for a consumer that does not read: what it holds by its own bound (16 MiB), one answer more, and what is on its way. */
const unreadBytesMax = 28 * mebibyte
const putsMax = 20_000

/**
 * A watcher that does not read while 47 MiB of events come: the client behind `proxy` takes over no more than its bound, serves other calls meanwhile, and tells every event once when it is
 * read. `bytesOnTheWire`: of each byte of a value.
 */
export async function expectUnreadWatchToBeBounded(
  store: Store,
  proxy: TcpProxy,
  other: Store,
  prefix: string,
  bytesOnTheWire = 1,
): Promise<void> {
  const batches = store.watch({ key: prefix, end: `${prefix}~` })[Symbol.asyncIterator]()
  expect((await batches.next()).value).toMatchObject({ kind: 'created' })
  const before = proxy.bytesToClients
  const revisions: number[] = []
  for (let n = 0; n < txns; n++) {
    const then = Array.from({ length: keysOfTxn }, (_, i): Operation => {
      return { op: 'put', key: `${prefix}${n}/${i}`, value: new Uint8Array(valueBytes) }
    })
    revisions.push((await other.txn({ then }, { timeoutMs: 20_000 })).revision)
  }
  await quiet(proxy)
  const taken = proxy.bytesToClients - before
  expect(taken).toBeGreaterThan(mebibyte)
  expect(taken).toBeLessThan(unreadBytesMax * bytesOnTheWire)
  await store.txn({ then: [{ op: 'put', key: `other/${prefix}`, value: new Uint8Array(1) }] })
  const seen: number[] = []
  const events = new Map<number, number>()
  while (seen.at(-1) !== revisions.at(-1)) {
    const { value: batch } = (await batches.next()) as { readonly value: WatchBatch }
    if (batch.kind === 'progress') continue
    expect(batch.kind).toBe('events')
    if (batch.kind !== 'events') break
    for (const event of batch.events) {
      const revision = event.type === 'put' ? event.kv.modRevision : event.modRevision
      if (seen.at(-1) !== revision) seen.push(revision)
      events.set(revision, (events.get(revision) ?? 0) + 1)
    }
  }
  await batches.return?.()
  expect(seen).toEqual(revisions)
  expect(new Set(events.values())).toEqual(new Set([keysOfTxn]))
}

/** More calls than may wait while the server stands still: those past the bound are refused at once, and each of the others is done, or not, as its outcome says. */
export async function expectFullWritesToBeRefused(
  store: Store,
  server: { pause(): Promise<void>; resume(): void },
  prefix: string,
): Promise<void> {
  await server.pause()
  const outcomes: Promise<'done' | 'none' | 'unknown' | 'overloaded'>[] = []
  let refused = 0
  // What is under way at the server counts apart on some engines.
  for (let n = 0; n < putsMax + 1_000; n++) {
    const put = store.txn(
      { then: [{ op: 'put', key: `${prefix}${n}`, value: new Uint8Array(1) }] },
      { timeoutMs: 60_000 },
    )
    outcomes.push(
      put.then(
        () => 'done',
        (error: unknown) => {
          if (!isAlthingError(error)) throw error
          if (error.code !== 'overloaded') return error.outcome === 'none' ? 'none' : 'unknown'
          expect(error.outcome).toBe('none')
          refused++
          return 'overloaded'
        },
      ),
    )
  }
  await new Promise((resolve) => setTimeout(resolve, 500))
  expect(refused).toBeGreaterThan(0)
  server.resume()
  const ended = await Promise.all(outcomes)
  const there = new Set<string>()
  for (let key = prefix; ; ) {
    const { kvs, more } = await store.range({ key, end: `${prefix}~` }, { timeoutMs: 20_000 })
    for (const kv of kvs) there.add(kv.key)
    if (!more) break
    key = `${kvs.at(-1)?.key}\u0000`
  }
  const wrong = ended.filter((outcome, n) => {
    if (outcome === 'unknown') return false
    return there.has(`${prefix}${n}`) !== (outcome === 'done')
  })
  expect(wrong).toEqual([])
  expect(ended.filter((outcome) => outcome === 'done').length).toBeGreaterThan(0)
}

/** Until no more has come for a while than it takes to look for something new. */
async function quiet(proxy: TcpProxy): Promise<void> {
  for (let last = Number.NEGATIVE_INFINITY; proxy.bytesToClients - last > 64 * 1024; ) {
    last = proxy.bytesToClients
    await new Promise((resolve) => setTimeout(resolve, 700))
  }
}
