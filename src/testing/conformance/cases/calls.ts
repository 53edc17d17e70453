import { strict as check } from 'node:assert'
import type { CallOptions, Store } from '../../../contracts/store.ts'
import type { CaseDefinition } from '../conformance-case.ts'
import { failureOf, refused, refusedChange } from '../refusals.ts'
import type { Scene } from '../scene.ts'

/** Every call, with what it takes to make it. */
function everyCall(
  scene: Scene,
  store: Store,
  lease: number,
): readonly [name: string, isMutation: boolean, call: (options: CallOptions) => Promise<unknown>][] {
  return [
    ['range', false, (options) => store.range(scene.range, options)],
    ['txn', true, (options) => store.txn({ then: [scene.putting('a', 'changed')] }, options)],
    ['txn that reads', false, (options) => store.txn({ then: [{ op: 'range', ...scene.range }] }, options)],
    ['grantLease', true, (options) => store.grantLease({ ttlMs: 600_000 }, options)],
    ['keepLeaseAlive', false, (options) => store.keepLeaseAlive(lease, options)],
    ['revokeLease', true, (options) => store.revokeLease(lease, options)],
    ['leases', false, (options) => store.leases(options)],
    ['compact', true, (options) => store.compact(1, options)],
  ]
}

/** Puts under way that may be given up: what their outcomes say must be what happened. */
export class CountedPuts {
  readonly #scene: Scene
  #done = 0
  #unknown = 0
  #none = 0
  readonly #allowed: readonly string[]

  /** `allowed`: the codes with which a put may fail. */
  constructor(scene: Scene, allowed: readonly string[]) {
    this.#scene = scene
    this.#allowed = allowed
  }

  get failed(): number {
    return this.#unknown + this.#none
  }

  async put(store: Store, options: CallOptions = {}): Promise<void> {
    const error = await failureOf(store.txn({ then: [this.#scene.putting('n', '1')] }, options))
    if (error === undefined) {
      this.#done++
      return
    }
    check.ok(this.#allowed.includes(error.code), `a put fails with ${this.#allowed.join(' or ')}: ${error}`)
    if (error.outcome === 'none') this.#none++
    else if (error.outcome === 'unknown') this.#unknown++
    else check.fail(`a put that failed says what became of it (${error.code}: ${error.message})`)
  }

  /** Each acknowledged put was done once, each of outcome none not at all, each other at most once. */
  async check(): Promise<void> {
    const version = (await this.#scene.get('n'))?.version ?? 0
    const told = `${this.#done} done, ${this.#unknown} unknown, ${this.#none} not done; the key has version ${version}`
    check.ok(version >= this.#done && version <= this.#done + this.#unknown, told)
  }
}

/** Signals, time limits, and the end of a client. */
export const callCases: readonly CaseDefinition[] = [
  {
    name: 'a call whose signal has fired already is not made',
    async play(scene) {
      const { lease } = await scene.grant()
      const revision = await scene.put('a', '1')
      const signal = AbortSignal.abort()
      for (const [name, isMutation, call] of everyCall(scene, scene.store, lease)) {
        const refusal = isMutation ? refusedChange : refused
        await refusal(call({ signal }), 'aborted', `${name} with a signal that has fired`)
      }
      check.equal(await scene.revision(), revision)
      check.deepEqual((await scene.store.keepLeaseAlive(lease)).lease, lease, 'the lease is there')
    },
  },
  {
    name: 'a signal ends a call under way, whose outcome is told truly',
    async play(scene) {
      const puts = new CountedPuts(scene, ['aborted'])
      for (let n = 0; n < 60; n++) {
        const controller = new AbortController()
        const put = puts.put(scene.store, { signal: controller.signal })
        if (n % 3 === 1) await Promise.resolve()
        if (n % 3 === 2) await scene.sleep((n % 10) / 4)
        controller.abort()
        await put
      }
      check.ok(puts.failed > 0, 'some were ended by their signal')
      await scene.sleep(50)
      await puts.check()
    },
  },
  {
    name: 'a call ends when its time is over, and its outcome is told truly',
    async play(scene) {
      const puts = new CountedPuts(scene, ['timeout', 'unavailable'])
      for (let n = 0; n < 60; n++)
        await puts.put(scene.store, { timeoutMs: n % 3 === 0 ? 0 : 0.2 * (n % 10) })
      await scene.sleep(50)
      await puts.check()
      const error = await failureOf(scene.store.range(scene.range, { timeoutMs: 0 }))
      const code = error?.code ?? 'timeout'
      check.ok(code === 'timeout' || code === 'unavailable', `a read out of time: ${code}`)
    },
  },
  {
    name: 'a signal that fires after the answer does nothing',
    async play(scene) {
      const controller = new AbortController()
      await scene.store.txn({ then: [scene.putting('a', '1')] }, { signal: controller.signal })
      controller.abort()
      check.equal(await scene.valueOf('a'), '1')
    },
  },
  {
    name: 'after close every call is refused, and close may be called again',
    async play(scene) {
      const { lease } = await scene.grant()
      const { store } = scene
      await Promise.all([store.close(), store.close()])
      await store.close()
      for (const [name, isMutation, call] of everyCall(scene, store, lease)) {
        const refusal = isMutation ? refusedChange : refused
        await refusal(call({}), 'closed', `${name} after close`)
      }
      const late = scene.watch({}, store)
      await late.ended()
      check.equal((late.error as { code?: unknown } | undefined)?.code, 'closed', 'a watch after close')
    },
  },
  {
    name: 'close ends the watches and the calls under way',
    async play(scene) {
      const { store } = scene
      const watch = scene.watch()
      await watch.created()
      const calls = Array.from({ length: 20 }, (_, n) =>
        failureOf(store.txn({ then: [scene.putting(`k${n}`, '1')] })),
      )
      const reads = Array.from({ length: 20 }, () => failureOf(store.range(scene.range)))
      await store.close()
      for (const error of await Promise.all([...calls, ...reads])) {
        check.ok(error === undefined || error.code === 'closed', `done, or closed, not ${error?.code}`)
      }
      for (const error of await Promise.all(calls)) {
        check.ok(error === undefined || error.outcome !== undefined, 'a put says what became of it')
      }
      await watch.ended()
      check.equal((watch.error as { code?: unknown } | undefined)?.code, 'closed')
    },
  },
  {
    name: 'the end of one client does not concern another',
    needs: ['clients'],
    async play(scene) {
      const other = await scene.bed.open()
      const watch = scene.watch()
      await watch.created()
      const { lease } = await other.grantLease({ ttlMs: 600_000 })
      await other.txn({ then: [scene.putting('a', '1', lease)] })
      await other.close()
      await scene.put('b', '1')
      await watch.count(2)
      check.equal(await scene.valueOf('a'), '1', 'its leases and keys stay')
      await scene.store.revokeLease(lease)
    },
  },
]
