import { strict as check } from 'node:assert'
import type { WatchEvent } from '../../../contracts/store.ts'
import type { CaseDefinition } from '../conformance-case.ts'
import { refused } from '../refusals.ts'
import type { Scene } from '../scene.ts'
import type { WatchedBatches } from '../watched-batches.ts'

/** The shortest lease that these cases use; an engine whose leases are longer gets its own minimum. */
const shortTtlMs = 1_000
const probeEveryMs = 20

/**
 * Watches a lease's keys and measures, meanwhile, how late this machine notices things: how late its timers fire and how long a write and its event take. A lease may seem to
 * end so much later than it did.
 */
class Stopwatch {
  readonly #scene: Scene
  readonly #watch: WatchedBatches
  #isStopped = false
  #lagMs = 0
  readonly #probing: Promise<void>

  private constructor(scene: Scene, watch: WatchedBatches) {
    this.#scene = scene
    this.#watch = watch
    this.#probing = this.#probe()
    // What goes wrong is told by `stop`.
    this.#probing.catch(() => undefined)
  }

  static async start(scene: Scene): Promise<Stopwatch> {
    const watch = scene.watch()
    await watch.created()
    const stopwatch = new Stopwatch(scene, watch)
    scene.atEnd(() => {
      stopwatch.#isStopped = true
    })
    return stopwatch
  }

  get lagMs(): number {
    return this.#lagMs
  }

  /** When the deletion of the key was noticed. */
  async deletionOf(name: string): Promise<number> {
    const key = this.#scene.key(name)
    const isIt = (event: WatchEvent): boolean => event.type === 'delete' && event.key === key
    const find = (): number =>
      this.#watch.batches.findIndex((batch) => batch.kind === 'events' && batch.events.some(isIt))
    await this.#watch.until(`${name} is deleted`, () => find() >= 0)
    return this.#watch.cameAtMs[find()] as number
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    await this.#probing
  }

  async #probe(): Promise<void> {
    const scene = this.#scene
    while (!this.#isStopped) {
      const startMs = scene.nowMs()
      await scene.sleep(probeEveryMs)
      if (this.#isStopped) return
      const revision = await scene.put('probe', '')
      await this.#watch.told(revision)
      this.#lagMs = Math.max(this.#lagMs, scene.nowMs() - startMs - probeEveryMs)
    }
  }
}

function ttlOf(scene: Scene): number {
  return Math.max(shortTtlMs, scene.limits.leaseTtlMsMin)
}

/** Not before its time, and not later than the engine says. `startMs`: before the call that began the time; `ackMs`: after it. */
function checkEnd(
  scene: Scene,
  end: { readonly atMs: number; readonly startMs: number; readonly ackMs: number; readonly ttlMs: number },
  lagMs: number,
): void {
  const { atMs, startMs, ackMs, ttlMs } = end
  const lived = atMs - startMs
  check.ok(lived >= ttlMs, `a lease of ${ttlMs} ms ended after ${Math.round(lived)} ms: too early`)
  const lateMs = atMs - ackMs - ttlMs
  const resolutionMs = scene.capabilities.leaseExpiryResolutionMs
  check.ok(
    lateMs <= resolutionMs + lagMs,
    `a lease of ${ttlMs} ms ended ${Math.round(lateMs)} ms late; the engine says ${resolutionMs}, and ${Math.round(lagMs)} ms were lost in noticing`,
  )
}

/** When leases end. */
export const leaseTimingCases: readonly CaseDefinition[] = [
  {
    name: 'a lease that nobody renews ends after its time, not before, and at most as late as the engine says',
    proves: 'server-time',
    async play(scene) {
      const stopwatch = await Stopwatch.start(scene)
      const startMs = scene.nowMs()
      const { lease, ttlMs } = await scene.grant(ttlOf(scene))
      const ackMs = scene.nowMs()
      await scene.put('a', '1', lease)
      const atMs = await stopwatch.deletionOf('a')
      await stopwatch.stop()
      checkEnd(scene, { atMs, startMs, ackMs, ttlMs }, stopwatch.lagMs)
      check.equal(await scene.valueOf('a'), undefined)
      await refused(scene.store.keepLeaseAlive(lease), 'lease-not-found', 'its renewal')
      check.ok(!(await scene.store.leases()).some((status) => status.lease === lease), 'it is listed no more')
    },
  },
  {
    name: 'the keys of a lease that runs out go at one revision',
    proves: 'server-time',
    async play(scene) {
      const watch = scene.watch()
      await watch.created()
      const { lease } = await scene.grant(ttlOf(scene))
      const { revision } = await scene.txn(
        scene.putting('a', '1', lease),
        scene.putting('b', '1', lease),
        scene.putting('other', '1'),
      )
      await watch.count(5)
      check.deepEqual(watch.lines.slice(3), [`delete a @${revision + 1}`, `delete b @${revision + 1}`])
      check.equal(await scene.revision(), revision + 1)
    },
  },
  {
    name: 'a renewed lease lives on, and ends after the last renewal',
    proves: 'server-time',
    async play(scene) {
      const stopwatch = await Stopwatch.start(scene)
      const { lease, ttlMs } = await scene.grant(ttlOf(scene))
      await scene.put('a', '1', lease)
      let [startMs, ackMs] = [0, 0]
      for (let round = 0; round < 4; round++) {
        await scene.sleep(ttlMs / 3)
        startMs = scene.nowMs()
        await scene.store.keepLeaseAlive(lease)
        ackMs = scene.nowMs()
      }
      const atMs = await stopwatch.deletionOf('a')
      await stopwatch.stop()
      checkEnd(scene, { atMs, startMs, ackMs, ttlMs }, stopwatch.lagMs)
    },
  },
  {
    name: 'leases renewed by one call live on alike',
    proves: 'server-time',
    needs: ['bulk-renewal'],
    async play(scene) {
      const stopwatch = await Stopwatch.start(scene)
      const { lease, ttlMs } = await scene.grant(ttlOf(scene))
      const other = (await scene.grant(ttlOf(scene))).lease
      await scene.put('renewed', '1', lease)
      await scene.put('forgotten', '1', other)
      await scene.sleep(ttlMs / 2)
      const startMs = scene.nowMs()
      await scene.store.keepLeasesAlive?.([lease])
      const ackMs = scene.nowMs()
      const forgottenAtMs = await stopwatch.deletionOf('forgotten')
      const atMs = await stopwatch.deletionOf('renewed')
      await stopwatch.stop()
      checkEnd(scene, { atMs, startMs, ackMs, ttlMs }, stopwatch.lagMs)
      check.ok(forgottenAtMs < atMs, 'the one that was not renewed ended before')
    },
  },
  {
    name: 'what is put again without the lease outlives it',
    proves: 'server-time',
    async play(scene) {
      const stopwatch = await Stopwatch.start(scene)
      const { lease } = await scene.grant(ttlOf(scene))
      await scene.txn(scene.putting('a', '1', lease), scene.putting('b', '1', lease))
      await scene.put('b', '2')
      await stopwatch.deletionOf('a')
      await stopwatch.stop()
      check.equal(await scene.valueOf('b'), '2')
    },
  },
  {
    name: 'a lease lasts its time and ends, though the client that was granted it is gone',
    proves: 'server-time',
    needs: ['clients'],
    async play(scene) {
      const stopwatch = await Stopwatch.start(scene)
      const granting = await scene.bed.open()
      const startMs = scene.nowMs()
      const { lease, ttlMs } = await granting.grantLease({ ttlMs: ttlOf(scene) })
      const ackMs = scene.nowMs()
      await granting.txn({ then: [scene.putting('a', '1', lease)] })
      await granting.close()
      const atMs = await stopwatch.deletionOf('a')
      await stopwatch.stop()
      checkEnd(scene, { atMs, startMs, ackMs, ttlMs }, stopwatch.lagMs)
    },
  },
]
