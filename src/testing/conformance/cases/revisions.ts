import { strict as check } from 'node:assert'
import type { CaseDefinition } from '../conformance-case.ts'

/** How the store and its keys count. */
export const revisionCases: readonly CaseDefinition[] = [
  {
    name: 'a key counts its versions, and knows when it was made and last changed',
    async play(scene) {
      const made = await scene.put('a', '1')
      const base = { key: 'a', createRevision: made, lease: 0 }
      check.deepEqual(await scene.get('a'), { ...base, value: '1', modRevision: made, version: 1 })
      const changed = await scene.put('a', '2')
      check.deepEqual(await scene.get('a'), { ...base, value: '2', modRevision: changed, version: 2 })
      await scene.put('b', '1')
      check.equal((await scene.get('a'))?.modRevision, changed, 'another key does not matter to it')
    },
  },
  {
    name: 'a key that was deleted and is made again begins anew',
    async play(scene) {
      await scene.put('a', '1')
      await scene.put('a', '2')
      await scene.delete('a')
      check.equal(await scene.get('a'), undefined)
      const revision = await scene.put('a', '3')
      const expected = { createRevision: revision, modRevision: revision, version: 1, lease: 0 }
      check.deepEqual(await scene.get('a'), { key: 'a', value: '3', ...expected })
    },
  },
  {
    name: 'each transaction that changes something adds exactly one to the revision, whatever it changes',
    async play(scene) {
      const start = await scene.revision()
      check.equal(await scene.put('a', '1'), start + 1)
      check.equal(await scene.put('a', '1'), start + 2, 'a put of the same value is a change')
      const many = await scene.txn(scene.putting('b', '1'), scene.putting('c', '1'), scene.deleting('a'))
      check.equal(many.revision, start + 3, 'several changes are one revision')
      check.deepEqual(
        (await scene.list()).map(({ modRevision }) => modRevision),
        [start + 3, start + 3],
      )
      check.equal((await scene.txn({ op: 'delete', ...scene.range })).revision, start + 4)
      check.equal(await scene.revision(), start + 4)
    },
  },
  {
    name: 'what changes no key leaves the revision as it is',
    async play(scene) {
      const start = await scene.put('a', '1')
      const { lease } = await scene.grant()
      check.equal(await scene.revision(), start, 'a granted lease')
      await scene.store.keepLeaseAlive(lease)
      check.equal(await scene.revision(), start, 'a renewed lease')
      check.equal((await scene.txn()).revision, start, 'an empty transaction')
      check.equal((await scene.txn({ op: 'range', ...scene.range })).revision, start, 'a read')
      check.equal(await scene.delete('missing'), start, 'the deletion of nothing')
      const { key } = scene.range
      check.equal((await scene.txn({ op: 'delete', key, end: key })).revision, start, 'of an empty range')
      await scene.store.compact(start)
      check.equal(await scene.revision(), start, 'a compaction')
      check.equal((await scene.store.revokeLease(lease)).revision, start, 'the end of a lease without keys')
      const unchanged = await scene.store.txn({
        compare: [{ target: 'version', key: scene.key('a'), op: '=', value: 9 }],
        then: [scene.putting('a', '2')],
      })
      check.equal(unchanged.revision, start, 'a comparison that does not hold')
      check.equal(await scene.put('a', '2'), start + 1)
    },
  },
]
