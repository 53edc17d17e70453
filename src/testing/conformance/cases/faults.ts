import { strict as check } from 'node:assert'
import type { CaseDefinition } from '../conformance-case.ts'
import { refused } from '../refusals.ts'
import type { Scene } from '../scene.ts'
import { CountedPuts } from './calls.ts'
import { checkOrder, replay } from './watches.ts'

/** While a server is away, or a connection broken, a put may fail so. */
const outage = ['unavailable', 'timeout']

/** Runs `fault` while puts are made one after the other, some before and some after it. */
async function putsAround(scene: Scene, fault: () => Promise<void>, writers = 4): Promise<CountedPuts> {
  const puts = new CountedPuts(scene, outage)
  let isOver = false
  const writing = Array.from({ length: writers }, async () => {
    const store = await scene.open()
    while (!isOver) await puts.put(store)
    for (let n = 0; n < 5; n++) await puts.put(store)
  })
  const written = Promise.all(writing)
  written.catch(() => undefined)
  try {
    await scene.sleep(50)
    await fault()
    await scene.sleep(50)
  } finally {
    isOver = true
  }
  await written
  return puts
}

async function watchThrough(scene: Scene, fault: () => Promise<void>): Promise<void> {
  const start = await scene.revision()
  const watch = scene.watch({ previous: true })
  const late = scene.watch({ fromRevision: start + 1 })
  await watch.created()
  await putsAround(scene, fault)
  const last = await scene.put('last', '1')
  for (const each of [watch, late]) {
    await each.told(last)
    checkOrder(each)
    check.deepEqual(replay(scene, each.batches), await scene.list())
    check.ok(
      each.batches.every(({ kind }) => kind !== 'resync'),
      'nothing was compacted, so there is no resync',
    )
    const versions = each.events.flatMap((event) => (event.type === 'put' ? [event.kv.version] : []))
    versions.pop()
    check.deepEqual(
      versions,
      versions.map((_, i) => i + 1),
      'each version of the key came once, and none is missing',
    )
    check.equal(each.batches.filter(({ kind }) => kind === 'created').length, 1, 'created came once')
  }
}

/** What survives. */
export const faultCases: readonly CaseDefinition[] = [
  {
    name: 'what was acknowledged is there after a restart, with its revisions and leases',
    proves: 'durable',
    needs: ['restart'],
    async play(scene) {
      const grant = await scene.grant()
      await scene.txn(scene.putting('a', '1'), scene.putting('b', '1', grant.lease))
      const older = await scene.put('a', '2')
      await scene.delete('b')
      const revision = await scene.put('c', '1', grant.lease)
      const [before, past] = [await scene.list(), await scene.list({ revision: older })]
      await scene.restart()
      check.deepEqual(await scene.list(), before)
      check.deepEqual(await scene.list({ revision: older }), past, 'older revisions too')
      check.equal(await scene.revision(), revision)
      check.deepEqual(await scene.store.keepLeaseAlive(grant.lease), grant)
      check.equal((await scene.store.revokeLease(grant.lease)).revision, revision + 1)
      check.equal(await scene.valueOf('c'), undefined)
    },
  },
  {
    name: 'after a restart revisions and leases go on where they were: a fencing token is never given out twice',
    proves: 'fencing',
    needs: ['restart'],
    async play(scene) {
      const { lease } = await scene.grant()
      const revision = await scene.put('a', '1')
      await scene.restart()
      check.ok((await scene.put('a', '2')) > revision, 'the revision grows')
      check.notEqual((await scene.grant()).lease, lease, 'the lease is another')
    },
  },
  {
    name: 'what was compacted stays so after a restart, and what was not can be watched from',
    proves: 'durable',
    needs: ['restart'],
    async play(scene) {
      const first = await scene.put('a', '1')
      const second = await scene.put('a', '2')
      const third = await scene.put('a', '3')
      await scene.store.compact(second)
      await scene.restart()
      await refused(scene.list({ revision: first }), 'compacted', 'a read of what was compacted')
      const watch = scene.watch({ fromRevision: third })
      await watch.count(1)
      check.deepEqual(watch.lines, [`put a=3 @${third}`])
    },
  },
  {
    name: 'through a restart each put is done once, not at all, or as its outcome says',
    proves: 'durable',
    needs: ['restart', 'clients'],
    async play(scene) {
      const puts = await putsAround(scene, () => scene.restart())
      await puts.check()
    },
  },
  {
    name: 'through a change of leader each put is done once, not at all, or as its outcome says',
    needs: ['failover', 'clients'],
    async play(scene) {
      const puts = await putsAround(scene, () => scene.failover())
      await puts.check()
    },
  },
  {
    name: 'through broken connections each put is done once, not at all, or as its outcome says',
    needs: ['cut', 'clients'],
    async play(scene) {
      const puts = await putsAround(scene, () => cutOften(scene), 8)
      await puts.check()
    },
  },
  {
    name: 'a put whose answer was lost on the way is answered all the same, and was done once',
    proves: 'exactly-once',
    needs: ['cut', 'clients'],
    async play(scene) {
      const puts = await putsAround(scene, () => cutOften(scene), 8)
      check.equal(puts.failed, 0, 'no put fails because of a broken connection')
      await puts.check()
    },
  },
  {
    name: 'a watch goes on after its connection broke, without gap or double',
    proves: 'watch-resume',
    needs: ['cut', 'clients'],
    play: (scene) => watchThrough(scene, () => cutOften(scene)),
  },
  {
    name: 'a watch goes on after a restart of the server, without gap or double',
    proves: 'watch-resume',
    needs: ['restart', 'clients'],
    play: (scene) => watchThrough(scene, () => scene.restart()),
  },
  {
    name: 'a watch goes on after the leader died, without gap or double',
    proves: 'watch-resume',
    needs: ['failover', 'clients'],
    play: (scene) => watchThrough(scene, () => scene.failover()),
  },
  {
    name: 'a lease is not ended early by the death of the leader, and ends in the end',
    proves: 'lease-survives-failover',
    needs: ['failover', 'clients'],
    play: leaseThroughFailover,
  },
]

async function cutOften(scene: Scene): Promise<void> {
  for (let n = 0; n < 8; n++) {
    scene.cut()
    await scene.sleep(30)
  }
}

async function leaseThroughFailover(scene: Scene): Promise<void> {
  const startMs = scene.nowMs()
  const { lease, ttlMs } = await scene.grant(Math.max(4_000, scene.limits.leaseTtlMsMin))
  const watch = scene.watch()
  await scene.put('a', '1', lease)
  await scene.failover()
  await watch.until('the key is deleted', () => watch.lines.some((line) => line.startsWith('delete a')))
  const livedMs = scene.nowMs() - startMs
  check.ok(livedMs >= ttlMs, `a lease of ${ttlMs} ms ended after ${Math.round(livedMs)} ms`)
  await refused(scene.store.keepLeaseAlive(lease), 'lease-not-found', 'its renewal')
}
