import { isAlthingError, open, type Store, textCodec, TypedStore } from 'althing'
import type { HistoryRecorder, RecordedClient } from 'althing/testing/history'
import { clusterName, world } from '../support/node-cluster.ts'
import { pause } from '../support/eventually.ts'
import type { OutageMeter } from './outages.ts'

/** Keys for which all clients compete. */
export const sharedKeys: readonly string[] = Array.from({ length: 8 }, (_, i) => `shared/${i}`)

/** Each client's own keys, each of which is put once. */
export const ledgerPrefix = 'ledger/'

/** Long enough for an election on a busy machine: most calls then end with an answer, which tells more than a timeout. */
const callTimeoutMs = 15_000
const thinkMsMax = 24

export interface FireClientOptions {
  readonly url: string
  readonly name: string
  readonly history: HistoryRecorder
  readonly outages: OutageMeter
  /** Of acknowledged puts of ledger keys: the revision. */
  readonly ledger: Map<string, number>
  /** Of another release, say. */
  readonly open?: typeof open
}

/** A client that never rests: reads and changes keys, and has every call and its result written down. */
export class FireClient {
  readonly #options: FireClientOptions
  readonly #recorded: RecordedClient
  readonly #stopped = new AbortController()
  #written = 0
  #work: Promise<void> | undefined
  /** What no failing node explains. */
  readonly surprises: unknown[] = []

  constructor(options: FireClientOptions) {
    this.#options = options
    this.#recorded = options.history.client(options.name)
  }

  async start(): Promise<void> {
    const { open: openStore = open } = this.#options
    const althing = await openStore(this.#options.url, {
      world,
      clusterId: clusterName,
      timeout: callTimeoutMs,
    })
    const run = async (): Promise<void> => {
      const store = new TypedStore(althing.raw).as(textCodec)
      while (!this.#stopped.signal.aborted) {
        await this.#act(store, althing.raw).catch((error: unknown) => this.#failed(error))
        await pause(world.random.integer(0, thinkMsMax))
      }
      await althing.close()
    }
    this.#work = run()
  }

  async stop(): Promise<void> {
    this.#stopped.abort()
    await this.#work
  }

  #failed(error: unknown): void {
    const isExpected = isAlthingError(error) && (error.retryable || error.code === 'session-expired')
    if (!isExpected) this.surprises.push(error)
  }

  async #act(store: TypedStore<string>, raw: Store): Promise<void> {
    const key = sharedKeys[world.random.integer(0, sharedKeys.length - 1)] as string
    const dice = world.random.float()
    if (dice < 0.3) await readShared(this.#recorded, store, key)
    else if (dice < 0.5) await this.#putShared(store, key)
    else if (dice < 0.65) await this.#compareAndPut(store, raw, key)
    else if (dice < 0.72) await this.#deleteShared(raw, key)
    else await this.#putLedger(store)
  }

  #value(): string {
    return `${this.#options.name}-${++this.#written}`
  }

  async #putShared(store: TypedStore<string>, key: string): Promise<void> {
    const value = this.#value()
    await this.#recorded.perform(
      'put',
      { key, value },
      () => this.#counted(store.put(key, value)),
      (revision) => ({ revision }),
    )
  }

  async #putLedger(store: TypedStore<string>): Promise<void> {
    const value = this.#value()
    const key = ledgerPrefix + value
    const put = async (): Promise<number> => {
      const revision = await this.#counted(store.put(key, value))
      this.#options.ledger.set(key, revision)
      return revision
    }
    await this.#recorded.perform('put', { key, value }, put, (revision) => ({ revision }))
  }

  /** Reads the key, then changes it only if nobody else has meanwhile. */
  async #compareAndPut(store: TypedStore<string>, raw: Store, key: string): Promise<void> {
    const expected = await readShared(this.#recorded, store, key)
    const value = this.#value()
    const bytes = textCodec.encode(value)
    await this.#recorded.perform(
      'cas',
      { key, value: { expected, value } },
      () =>
        this.#counted(
          raw.txn({
            compare: [{ target: 'modRevision', key, op: '=', value: expected }],
            then: [{ op: 'put', key, value: bytes }],
          }),
        ),
      ({ succeeded, revision }) => ({ succeeded, revision }),
    )
  }

  async #deleteShared(raw: Store, key: string): Promise<void> {
    await this.#recorded.perform(
      'delete',
      { key },
      () => this.#counted(raw.txn({ then: [{ op: 'delete', key }] })),
      ({ replies: [reply], revision }) => ({
        deleted: reply?.op === 'delete' && reply.deleted === 1,
        revision,
      }),
    )
  }

  async #counted<T>(write: Promise<T>): Promise<T> {
    const result = await write
    this.#options.outages.acknowledged(world.clock.monotonicMs())
    return result
  }
}

/** A recorded linearizable read; returns the revision of the key's last change, 0 when it does not exist. */
export async function readShared(
  recorded: RecordedClient,
  store: TypedStore<string>,
  key: string,
): Promise<number> {
  const item = await recorded.perform(
    'get',
    { key },
    () => store.get(key),
    (found) => (found === undefined ? null : { value: found.value, modRevision: found.modRevision }),
  )
  return item?.modRevision ?? 0
}
