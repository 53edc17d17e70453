import { strict as check } from 'node:assert'
import type { WatchBatch } from '../../../contracts/store.ts'
import type { CaseDefinition } from '../conformance-case.ts'
import { type PlainKeyValue, withoutPrefix } from '../plain.ts'
import type { Scene } from '../scene.ts'
import type { WatchedBatches } from '../watched-batches.ts'

/** The keys as one who followed the watch from the start has them. */
export function replay(scene: Scene, batches: readonly WatchBatch[]): PlainKeyValue[] {
  const state = new Map<string, PlainKeyValue>()
  for (const batch of batches) {
    if (batch.kind === 'resync') {
      state.clear()
      for (const kv of batch.kvs) state.set(scene.plain(kv).key, scene.plain(kv))
    }
    if (batch.kind !== 'events') continue
    for (const event of batch.events) {
      if (event.type === 'delete') state.delete(withoutPrefix(event.key, scene.prefix))
      else state.set(scene.plain(event.kv).key, scene.plain(event.kv))
    }
  }
  return [...state.values()].sort((a, b) => (a.key < b.key ? -1 : 1))
}

/** Revisions only grow, and none is in two batches. */
export function checkOrder(watch: WatchedBatches): void {
  let last = 0
  for (const batch of watch.batches) {
    if (batch.kind !== 'events') continue
    const revisions = batch.events.map((event) =>
      event.type === 'put' ? event.kv.modRevision : event.modRevision,
    )
    check.ok(revisions.length > 0, 'a batch of events has events')
    for (const [i, revision] of revisions.entries()) {
      const before = i === 0 ? last : (revisions[i - 1] as number)
      check.ok(revision >= before && revision > last, `revision ${revision} comes after ${before}`)
    }
    last = Math.max(last, ...revisions)
    check.ok(batch.revision >= last, `a batch of revision ${batch.revision} has events of ${last}`)
  }
}

/** What comes, in which order and form. */
export const watchCases: readonly CaseDefinition[] = [
  {
    name: 'a watch is first told that it is set, and then every change after that, in order, each once',
    async play(scene) {
      await scene.put('before', '1')
      const at = await scene.revision()
      const watch = scene.watch()
      await watch.created()
      check.deepEqual(watch.batches[0], { kind: 'created', revision: at })
      const [first, second] = [await scene.put('a', '1'), await scene.put('a', '2')]
      const third = await scene.delete('a')
      const fourth = await scene.put('a', '3')
      await watch.count(4)
      check.deepEqual(watch.lines, [
        `put a=1 @${first}`,
        `put a=2 @${second}`,
        `delete a @${third}`,
        `put a=3 @${fourth}`,
      ])
      checkOrder(watch)
      const last = watch.events.at(-1)
      check.deepEqual(last?.type === 'put' && scene.plain(last.kv), await scene.get('a'), 'whole key-values')
      check.equal(watch.batches.filter(({ kind }) => kind === 'created').length, 1)
    },
  },
  {
    name: 'all events of a revision come in one batch, ordered by key',
    async play(scene) {
      await scene.txn(scene.putting('b', '0'), scene.putting('d', '0'))
      const watch = scene.watch()
      await watch.created()
      const { revision } = await scene.txn(
        scene.putting('c', '1'),
        { op: 'delete', key: scene.key('d'), end: scene.key('e') },
        scene.putting('a', '1'),
        scene.deleting('b'),
      )
      const next = await scene.put('z', '1')
      await watch.count(5)
      check.deepEqual(watch.lines, [
        `put a=1 @${revision}`,
        `delete b @${revision}`,
        `put c=1 @${revision}`,
        `delete d @${revision}`,
        `put z=1 @${next}`,
      ])
      const batch = watch.batches.find(({ kind }) => kind === 'events')
      check.ok(batch?.kind === 'events' && batch.events.length >= 4, 'the first batch has the whole revision')
      checkOrder(watch)
    },
  },
  {
    name: 'only keys of the range are reported',
    async play(scene) {
      const one = scene.watch({ key: scene.key('b'), end: undefined } as never)
      const some = scene.watch({ key: scene.key('b'), end: scene.key('d') })
      const rest = scene.watch({ key: scene.key('c'), end: null })
      for (const watch of [one, some, rest]) await watch.created()
      for (const name of ['a', 'b', 'b0', 'c', 'd']) await scene.put(name, '1')
      const revision = await scene.delete('b')
      const last = await scene.put('d', '2')
      await one.count(2)
      await some.count(4)
      await rest.until('d has come', () => rest.lines.includes(`put d=2 @${last}`))
      check.deepEqual(one.lines, [`put b=1 @${revision - 4}`, `delete b @${revision}`])
      check.deepEqual(some.lines, [
        `put b=1 @${revision - 4}`,
        `put b0=1 @${revision - 3}`,
        `put c=1 @${revision - 2}`,
        `delete b @${revision}`,
      ])
      check.deepEqual(rest.lines, [
        `put c=1 @${revision - 2}`,
        `put d=1 @${revision - 1}`,
        `put d=2 @${last}`,
      ])
    },
  },
  {
    name: 'events carry the key as it was before where that is asked for, and only there',
    async play(scene) {
      const plainly = scene.watch()
      const watch = scene.watch({ previous: true })
      await plainly.created()
      await watch.created()
      await scene.put('a', '1')
      const first = await scene.get('a')
      await scene.put('a', '2')
      const second = await scene.get('a')
      await scene.delete('a')
      await scene.put('a', '3')
      await watch.count(4)
      await plainly.count(4)
      const previous = watch.events.map((event) => event.previous && scene.plain(event.previous))
      check.deepEqual(previous, [undefined, first, second, undefined])
      check.ok(
        plainly.events.every((event) => event.previous === undefined),
        'not where it was not asked for',
      )
    },
  },
  {
    name: 'the end of a lease is reported like a deletion',
    async play(scene) {
      const { lease } = await scene.grant()
      await scene.txn(scene.putting('a', '1', lease), scene.putting('b', '1', lease))
      const watch = scene.watch({ previous: true })
      await watch.created()
      const { revision } = await scene.store.revokeLease(lease)
      await watch.count(2)
      check.deepEqual(watch.lines, [`delete a @${revision}`, `delete b @${revision}`])
      check.deepEqual(
        watch.events.map((event) => event.previous?.lease),
        [lease, lease],
      )
      checkOrder(watch)
    },
  },
  {
    name: 'where progress is asked for it is told, though nothing of the range changes',
    proves: 'watch-progress',
    async play(scene) {
      const watch = scene.watch({ key: scene.key('quiet'), end: undefined, progressMs: 200 } as never)
      await watch.created()
      const revision = await scene.put('other', '1')
      await watch.until('progress up to the newest revision', () =>
        watch.batches.some((batch) => batch.kind === 'progress' && batch.revision >= revision),
      )
      const next = await scene.put('quiet', '1')
      await watch.count(1)
      check.deepEqual(watch.lines, [`put quiet=1 @${next}`])
      for (const batch of watch.batches.slice(1)) {
        check.ok(batch.kind === 'progress' || batch.kind === 'events', `no ${batch.kind} is expected`)
      }
    },
  },
  {
    name: 'many watches of the same range are told the same',
    async play(scene) {
      const watches = Array.from({ length: 100 }, () => scene.watch())
      for (const watch of watches) await watch.created()
      for (let n = 0; n < 20; n++) await scene.put(`k${n % 5}`, String(n))
      const start = (await scene.revision()) - 19
      const expected = Array.from({ length: 20 }, (_, n) => `put k${n % 5}=${n} @${start + n}`)
      for (const watch of watches) {
        await watch.count(20)
        check.deepEqual(watch.lines, expected)
        checkOrder(watch)
      }
    },
  },
  {
    name: 'a consumer that does not read holds up nobody, and is given all of it or a resync in the end',
    async play(scene) {
      const slow = scene.store.watch(scene.range)[Symbol.asyncIterator]()
      const batches: WatchBatch[] = []
      const value = 'x'.repeat(Math.min(64 * 1024, scene.limits.valueBytesMax))
      const first = await slow.next()
      if (first.done !== true) batches.push(first.value)
      let revision = 0
      for (let n = 0; n < 400; n++) revision = await scene.put(`k${n % 7}`, `${n}/${value}`)
      while ((batches.at(-1)?.revision ?? 0) < revision) {
        const { done, value: batch } = await slow.next()
        check.ok(done !== true, 'the watch goes on')
        batches.push(batch)
      }
      await slow.return?.()
      check.deepEqual(replay(scene, batches), await scene.list(), 'who follows it has what the store has')
      const events = batches.reduce(
        (sum, batch) => sum + (batch.kind === 'events' ? batch.events.length : 0),
        0,
      )
      const isResynced = batches.some(({ kind }) => kind === 'resync')
      check.ok(isResynced || events === 400, `all 400 events came, not ${events}`)
    },
  },
  {
    name: 'a watch of one client reports what another writes',
    needs: ['clients'],
    async play(scene) {
      const watch = scene.watch()
      await watch.created()
      const other = await scene.open()
      const { revision } = await other.txn({ then: [scene.putting('a', '1')] })
      await watch.count(1)
      check.deepEqual(watch.lines, [`put a=1 @${revision}`])
    },
  },
]

/** How a watch begins at another moment than now. */
export const resumeCases: readonly CaseDefinition[] = [
  {
    name: 'a watch from an older revision is told all that has happened since, and goes on',
    proves: 'watch-resume',
    async play(scene) {
      const revisions = [await scene.put('a', '1'), await scene.put('a', '2'), await scene.put('b', '1')]
      const fromRevision = revisions[1] as number
      const watch = scene.watch({ fromRevision, previous: true })
      await watch.count(2)
      revisions.push(await scene.delete('a'))
      await watch.count(3)
      check.deepEqual(watch.lines, [
        `put a=2 @${revisions[1]}`,
        `put b=1 @${revisions[2]}`,
        `delete a @${revisions[3]}`,
      ])
      check.equal(watch.events[0]?.previous?.version, 1, 'older events carry the key as it was, too')
      check.equal(watch.batches[0]?.kind, 'created')
      checkOrder(watch)
    },
  },
  {
    name: 'watches from each older revision are told what is left from there, while writing goes on',
    proves: 'watch-resume',
    async play(scene) {
      const start = await scene.revision()
      const writes = 60
      const watches: WatchedBatches[] = []
      for (let n = 1; n <= writes; n++) {
        await scene.put(`k${n % 4}`, String(n))
        if (n % 6 === 0) watches.push(scene.watch({ fromRevision: start + n / 2 }))
      }
      const all = Array.from({ length: writes }, (_, i) => `put k${(i + 1) % 4}=${i + 1} @${start + i + 1}`)
      for (const [i, watch] of watches.entries()) {
        const from = ((i + 1) * 6) / 2
        await watch.count(writes - from + 1)
        check.deepEqual(watch.lines, all.slice(from - 1))
        checkOrder(watch)
      }
    },
  },
  {
    name: 'a watch from the next revision is what one without is',
    async play(scene) {
      const revision = await scene.put('a', '1')
      const watch = scene.watch({ fromRevision: revision + 1 })
      await watch.created()
      await scene.put('a', '2')
      await watch.count(1)
      check.deepEqual(watch.lines, [`put a=2 @${revision + 1}`])
    },
  },
  {
    name: 'a watch from a revision to come is told nothing before it',
    proves: 'watch-resume',
    async play(scene) {
      const revision = await scene.put('a', '0')
      const watch = scene.watch({ fromRevision: revision + 3 })
      await watch.created()
      for (const value of ['1', '2', '3', '4']) await scene.put('a', value)
      await watch.count(2)
      check.deepEqual(watch.lines, [`put a=3 @${revision + 3}`, `put a=4 @${revision + 4}`])
    },
  },
  {
    name: 'a watch from a revision that was compacted is given the whole range once, and then what follows',
    proves: 'watch-resume',
    play: resyncAfterCompaction,
  },
  {
    name: 'a watch from the first revision that is left after a compaction needs no resync',
    proves: 'watch-resume',
    async play(scene) {
      await scene.put('a', '1')
      const compacted = await scene.put('a', '2')
      const next = await scene.put('a', '3')
      await scene.store.compact(compacted)
      const watch = scene.watch({ fromRevision: compacted + 1 })
      await watch.count(1)
      check.deepEqual(watch.lines, [`put a=3 @${next}`])
      check.ok(watch.batches.every(({ kind }) => kind !== 'resync'))
    },
  },
  {
    name: 'a compaction does not disturb a watch that is up to date',
    proves: 'watch-resume',
    async play(scene) {
      const watch = scene.watch()
      await watch.created()
      const first = await scene.put('a', '1')
      await watch.count(1)
      await scene.store.compact(first)
      const second = await scene.put('a', '2')
      await scene.store.compact(second)
      const third = await scene.put('a', '3')
      await watch.count(3)
      check.deepEqual(watch.lines, [`put a=1 @${first}`, `put a=2 @${second}`, `put a=3 @${third}`])
    },
  },
]

async function resyncAfterCompaction(scene: Scene): Promise<void> {
  const fromRevision = await scene.put('a', '1')
  await scene.put('gone', '1')
  await scene.put('b', '1', (await scene.grant()).lease)
  await scene.delete('gone')
  const compacted = await scene.put('a', '2')
  const at = await scene.put('c', '1')
  await scene.store.compact(compacted)
  const watch = scene.watch({ fromRevision })
  await watch.told(at)
  const [created, resync] = watch.batches
  check.equal(created?.kind, 'created')
  check.ok(resync?.kind === 'resync', `a resync, not ${resync?.kind}`)
  check.deepEqual([resync.fromRevision, resync.revision], [fromRevision, at])
  check.ok(resync.reason === undefined || resync.reason === 'compacted', `not because of ${resync.reason}`)
  check.deepEqual(
    resync.kvs.map((kv) => scene.plain(kv)),
    await scene.list(),
  )
  const next = await scene.put('a', '3')
  const after = await scene.delete('b')
  await watch.count(2)
  check.deepEqual(watch.lines, [`put a=3 @${next}`, `delete b @${after}`])
  check.equal(watch.batches.filter(({ kind }) => kind === 'resync').length, 1, 'one resync')
}

/** How a watch ends. */
export const watchEndCases: readonly CaseDefinition[] = [
  {
    name: 'close ends the iteration, as often as it is called',
    async play(scene) {
      const watch = scene.store.watch(scene.range)
      const iterator = watch[Symbol.asyncIterator]()
      check.equal((await iterator.next()).done, false)
      const waiting = iterator.next()
      watch.close()
      watch.close()
      check.equal((await waiting).done, true)
      check.equal((await iterator.next()).done, true)
    },
  },
  {
    name: 'leaving the loop ends it',
    async play(scene) {
      const watch = scene.store.watch(scene.range)
      for await (const batch of watch) {
        check.equal(batch.kind, 'created')
        break
      }
      await scene.put('a', '1')
      check.equal((await watch[Symbol.asyncIterator]().next()).done, true)
    },
  },
  {
    name: 'its signal ends it, and one that has fired already ends it at once',
    async play(scene) {
      const controller = new AbortController()
      const watch = scene.watch({ signal: controller.signal })
      await watch.created()
      controller.abort()
      await watch.ended()
      check.equal(watch.state, 'ended', `it ends in good order, not with ${watch.error}`)
      const late = scene.watch({ signal: controller.signal })
      await late.ended()
      check.equal(late.state, 'ended')
    },
  },
  {
    name: 'one that is closed does not concern another',
    async play(scene) {
      const [first, second] = [scene.watch(), scene.watch()]
      await first.created()
      await second.created()
      first.close()
      await scene.put('a', '1')
      await second.count(1)
      check.equal(second.events.length, 1)
    },
  },
]
