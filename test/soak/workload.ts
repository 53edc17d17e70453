import { type Althing, open, type Store, textCodec, TypedStore } from 'althing'
import type { RecordedClient } from 'althing/testing/history'
import type { SeededRandom } from 'althing/testing/world'
import { readShared } from '../processes/fire/recorded-client.ts'
import { pause } from '../processes/support/eventually.ts'
import { clusterName, world } from '../processes/support/node-cluster.ts'
import type { Judge } from './judge.ts'
import { Ledger } from './ledger.ts'
import type { Tally } from './tally.ts'
import { type Window, Windows } from './windows.ts'

export interface WorkloadOptions {
  readonly url: string
  /** Of its clients. */
  readonly name: string
  readonly clients: number
  readonly random: SeededRandom
  readonly tally: Tally
  readonly judge: Judge
  /** Longest rest of a client between two acts. */
  readonly restMsMax: number
}

/** Own keys of each client: always the same, so that the store does not grow. */
const slotsPerClient = 64
const paddingBytes = 256
/** Revisions that stay for older reads. */
const revisionsKept = 5_000
/** Longer than an election on a busy machine: most calls then end with an answer, which tells more than a timeout. */
const callTimeoutMs = 15_000
/** Of the first kind: the store's bound or the disk's end. Of the second: a client was cut off for longer than its session lives. */
const expectedCodes: ReadonlySet<string> = new Set(['no-space', 'session-expired'])

export const windowPrefix = 'window/'
export const ledgerPrefix = 'ledger/'

/** Clients of one store that never rest; what they see is judged window by window. */
export class Workload {
  readonly #options: WorkloadOptions
  readonly #windows: Windows
  readonly #ledger = new Ledger()
  readonly #stopped = new AbortController()
  #clients: readonly Promise<void>[] = []
  #keeper: Althing | undefined
  windowsJudged = 0

  constructor(options: WorkloadOptions) {
    this.#options = options
    this.#windows = new Windows(windowPrefix, world.clock)
  }

  get ledger(): Ledger {
    return this.#ledger
  }

  async start(): Promise<void> {
    const { url, clients } = this.#options
    const openOne = (): Promise<Althing> =>
      open(url, { world, clusterId: clusterName, timeout: callTimeoutMs })
    this.#keeper = await openOne()
    const opened = await Promise.all(Array.from({ length: clients }, openOne))
    this.#clients = opened.map((althing, i) => this.#run(althing, `${this.#options.name}${i + 1}`))
  }

  /** Ends the window that is open, has it judged, and removes its keys. */
  async judgeWindow(): Promise<void> {
    const window = await this.#windows.rotate()
    await this.#lastWord(window)
    const { tally, judge, name } = this.#options
    const { verdict, reason } = await judge.judge(window.history.events)
    this.windowsJudged += 1
    if (verdict !== 'ok')
      tally.problem(`window ${window.number} of ${name}: ${verdict}: ${reason ?? 'no reason given'}`)
    await this.#tidy(window)
  }

  /** Stops the clients and judges what they leave. */
  async stop(): Promise<void> {
    this.#stopped.abort()
    await Promise.all(this.#clients)
    await this.judgeWindow()
    await this.#keeper?.close()
  }

  async #run(althing: Althing, name: string): Promise<void> {
    const { random, restMsMax } = this.#options
    const store = new TypedStore(althing.raw).as(textCodec)
    let recorded: { readonly of: Window; readonly client: RecordedClient } | undefined
    const actor = new Actor({ ...this.#options, name, store, raw: althing.raw, ledger: this.#ledger })
    while (!this.#stopped.signal.aborted) {
      await this.#windows.act(async (window) => {
        if (recorded?.of !== window) recorded = { of: window, client: window.history.client(name) }
        await actor.act(window, recorded.client)
      })
      await pause(random.integer(0, restMsMax))
    }
    await althing.close()
  }

  /** Every key of the window is read once all is quiet in it. */
  async #lastWord({ keys, history }: Window): Promise<void> {
    const keeper = this.#keeper as Althing
    const store = new TypedStore(keeper.raw).as(textCodec)
    const recorded = history.client('last')
    for (const key of keys) {
      await readShared(recorded, store, key).catch((error: unknown) =>
        this.#options.tally.rejected(error, expectedCodes),
      )
    }
  }

  async #tidy(window: Window): Promise<void> {
    const { raw } = this.#keeper as Althing
    try {
      const { revision } = await raw.txn({ then: [{ op: 'delete', ...this.#windows.rangeUpTo(window) }] })
      if (revision > revisionsKept) await raw.compact(revision - revisionsKept)
    } catch (error) {
      // The next window's end sees to it. Somebody else may have compacted further meanwhile.
      this.#options.tally.rejected(error, new Set([...expectedCodes, 'compacted']))
    }
  }
}

interface ActorOptions extends Pick<WorkloadOptions, 'random' | 'tally'> {
  readonly name: string
  readonly store: TypedStore<string>
  readonly raw: Store
  readonly ledger: Ledger
}

/** One client's acts. */
class Actor {
  readonly #options: ActorOptions
  #written = 0

  constructor(options: ActorOptions) {
    this.#options = options
  }

  async act(window: Window, recorded: RecordedClient): Promise<void> {
    const { random, tally } = this.#options
    const key = window.keys[random.integer(0, window.keys.length - 1)] as string
    const dice = random.float()
    try {
      if (dice < 0.25) await readShared(recorded, this.#options.store, key)
      else if (dice < 0.4) await this.#put(recorded, key)
      else if (dice < 0.5) await this.#compareAndPut(recorded, key)
      else if (dice < 0.55) await this.#delete(recorded, key)
      else if (dice < 0.85) await this.#putOwn()
      else await this.#readOwn()
      tally.ok += 1
    } catch (error) {
      tally.rejected(error, expectedCodes)
    }
  }

  #value(): string {
    return `${this.#options.name}-${++this.#written}`
  }

  async #put(recorded: RecordedClient, key: string): Promise<void> {
    const value = this.#value()
    const put = (): Promise<number> => this.#noted(this.#options.store.put(key, value))
    await recorded.perform('put', { key, value }, put, (revision) => ({ revision }))
  }

  async #compareAndPut(recorded: RecordedClient, key: string): Promise<void> {
    const expected = await readShared(recorded, this.#options.store, key)
    const value = this.#value()
    await recorded.perform(
      'cas',
      { key, value: { expected, value } },
      () =>
        this.#noted(
          this.#options.raw.txn({
            compare: [{ target: 'modRevision', key, op: '=', value: expected }],
            then: [{ op: 'put', key, value: textCodec.encode(value) }],
          }),
        ),
      ({ succeeded, revision }) => ({ succeeded, revision }),
    )
  }

  async #delete(recorded: RecordedClient, key: string): Promise<void> {
    await recorded.perform(
      'delete',
      { key },
      () => this.#noted(this.#options.raw.txn({ then: [{ op: 'delete', key }] })),
      ({ replies: [reply], revision }) => ({
        deleted: reply?.op === 'delete' && reply.deleted === 1,
        revision,
      }),
    )
  }

  async #putOwn(): Promise<void> {
    const { ledger, store } = this.#options
    const key = this.#ownKey()
    const value = `${this.#value()} ${'x'.repeat(paddingBytes)}`
    try {
      await this.#noted(store.put(key, value))
      ledger.acknowledged(key, value)
    } catch (error) {
      if ((error as { readonly outcome?: string }).outcome !== 'none')
        ledger.lost(key, value, world.clock.monotonicMs())
      throw error
    }
  }

  async #readOwn(): Promise<void> {
    const { ledger, store, tally } = this.#options
    const key = this.#ownKey()
    const item = await store.get(key)
    const problem = ledger.found(key, item?.value, world.clock.monotonicMs())
    if (problem !== undefined) tally.problem(problem)
  }

  #ownKey(): string {
    const { name, random } = this.#options
    return `${ledgerPrefix}${name}/${random.integer(0, slotsPerClient - 1)}`
  }

  async #noted<T>(write: Promise<T>): Promise<T> {
    const result = await write
    this.#options.tally.wrote(world.clock.monotonicMs())
    return result
  }
}
