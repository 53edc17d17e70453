import { expect } from 'vitest'
import { isAlthingError } from '../../src/contracts/errors.ts'
import type { CallOptions, Store, TxnReply, WatchBatch } from '../../src/contracts/store.ts'

/** A call may be late by what the machine is busy with. */
export const slackMs = 1_500

/** Puts one number after the other under a key of its own each, for as long as it is told to, and keeps what it was told. */
export class Writer {
  readonly acknowledged: number[] = []
  /** With outcome `none`: these must never be seen. */
  readonly refused: number[] = []
  readonly unknown: number[] = []
  readonly lateMs: number[] = []
  readonly #store: Store
  readonly #prefix: string
  readonly #timeoutMs: number
  #isOver = false
  #next = 0
  readonly #done: Promise<void>

  constructor(store: Store, prefix: string, timeoutMs = 1_000) {
    this.#store = store
    this.#prefix = prefix
    this.#timeoutMs = timeoutMs
    this.#done = this.#run()
  }

  async stop(): Promise<void> {
    this.#isOver = true
    await this.#done
  }

  /** Until so many more are acknowledged. */
  async progress(count: number): Promise<void> {
    const wanted = this.acknowledged.length + count
    const endMs = performance.now() + 90_000
    while (this.acknowledged.length < wanted) {
      if (performance.now() > endMs) throw new Error(`only ${this.acknowledged.length} of ${wanted} puts`)
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }

  async #run(): Promise<void> {
    while (!this.#isOver) {
      const number = this.#next++
      const startedMs = performance.now()
      try {
        await putNumber(this.#store, this.#prefix, number, { timeoutMs: this.#timeoutMs })
        this.acknowledged.push(number)
      } catch (error) {
        if (!isAlthingError(error)) throw error
        if (error.outcome === 'none') this.refused.push(number)
        else this.unknown.push(number)
      }
      const lateMs = performance.now() - startedMs - this.#timeoutMs
      if (lateMs > slackMs) this.lateMs.push(lateMs)
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }
}

export function putNumber(
  store: Store,
  prefix: string,
  number: number,
  options: CallOptions,
): Promise<TxnReply> {
  const value = new TextEncoder().encode(String(number))
  const key = `${prefix}${String(number).padStart(6, '0')}`
  return store.txn({ then: [{ op: 'put', key, value }] }, options)
}

/** What a watch from the beginning is told, until it has been told of everything up to a revision. */
export class Follower {
  readonly numbers: number[] = []
  readonly revisions: number[] = []
  resyncs = 0
  #revision = 0
  readonly #closing = new AbortController()
  readonly #done: Promise<void>

  private constructor(store: Store, prefix: string) {
    this.#done = this.#run(
      store.watch({ key: prefix, end: `${prefix}~`, signal: this.#closing.signal }),
      prefix.length,
    )
    // A test that has failed already may close the store first.
    this.#done.catch(() => undefined)
  }

  /** Resolves when the watch is set. */
  static async start(store: Store, prefix: string): Promise<Follower> {
    const follower = new Follower(store, prefix)
    await follower.reaches(1)
    return follower
  }

  async reaches(revision: number): Promise<void> {
    const endMs = performance.now() + 30_000
    while (this.#revision < revision) {
      if (performance.now() > endMs) throw new Error(`the watch stands at ${this.#revision}, not ${revision}`)
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }

  async stop(): Promise<void> {
    this.#closing.abort()
    await this.#done
  }

  async #run(batches: AsyncIterable<WatchBatch>, prefixLength: number): Promise<void> {
    for await (const batch of batches) {
      if (batch.kind === 'resync') this.resyncs++
      if (batch.kind === 'events') {
        for (const event of batch.events) {
          if (event.type !== 'put') continue
          this.numbers.push(Number(event.kv.key.slice(prefixLength)))
          this.revisions.push(event.kv.modRevision)
        }
      }
      this.#revision = batch.revision
    }
  }
}

/** What is in the store, what the writer was told and what the watch was told agree. */
export async function expectTruth(
  store: Store,
  prefix: string,
  writer: Writer,
  follower: Follower,
): Promise<void> {
  await writer.stop()
  const { kvs } = await store.range({ key: prefix, end: `${prefix}~` }, { timeoutMs: 20_000 })
  const stored = kvs.map((kv) => Number(kv.key.slice(prefix.length)))
  await follower.reaches(Math.max(...kvs.map((kv) => kv.modRevision)))
  await follower.stop()
  const there = new Set(stored)
  expect(writer.acknowledged.filter((number) => !there.has(number))).toEqual([])
  expect(writer.refused.filter((number) => there.has(number))).toEqual([])
  expect(follower.resyncs).toBe(0)
  expect(follower.numbers).toEqual(
    kvs.toSorted((a, b) => a.modRevision - b.modRevision).map((kv) => Number(kv.key.slice(prefix.length))),
  )
  expect(follower.revisions).toEqual(follower.revisions.toSorted((a, b) => a - b))
  expect(writer.lateMs).toEqual([])
}
