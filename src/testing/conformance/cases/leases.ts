import { strict as check } from 'node:assert'
import { isAlthingError } from '../../../contracts/errors.ts'
import type { LeaseStatus } from '../../../contracts/store.ts'
import type { CaseDefinition } from '../conformance-case.ts'
import { withoutPrefix } from '../plain.ts'
import { refused, refusedChange } from '../refusals.ts'
import type { Scene } from '../scene.ts'

/** An id that no store of this case has given out. */
const neverGranted = 2 ** 52 + 12_345

async function statusOf(scene: Scene, lease: number): Promise<LeaseStatus | undefined> {
  return (await scene.store.leases()).find((status) => status.lease === lease)
}

async function keysOn(scene: Scene, lease: number): Promise<string> {
  const status = await statusOf(scene, lease)
  return (status?.keys ?? []).map((key) => withoutPrefix(key, scene.prefix)).join(' ')
}

/** What hangs on a lease, and what its end takes along. */
export const leaseCases: readonly CaseDefinition[] = [
  {
    name: 'a grant gives an id of its own, and at least the time asked for',
    async play(scene) {
      const step = scene.capabilities.leaseTtlStepMs ?? 1
      const seen = new Set<number>()
      for (const ttlMs of [600_000, 600_001, 712_345]) {
        const grant = await scene.grant(ttlMs)
        check.ok(Number.isSafeInteger(grant.lease) && grant.lease >= 1, `the id ${grant.lease}`)
        check.ok(!seen.has(grant.lease), `the id ${grant.lease} is new`)
        check.ok(grant.ttlMs >= ttlMs && grant.ttlMs < ttlMs + step, `${grant.ttlMs} ms for ${ttlMs}`)
        seen.add(grant.lease)
      }
    },
  },
  {
    name: 'the list of leases has each with its time and its keys, in the order of their ids',
    async play(scene) {
      const grants = [await scene.grant(), await scene.grant(700_000), await scene.grant()]
      const [first, second] = grants as [(typeof grants)[0], (typeof grants)[0]]
      await scene.txn(scene.putting('b', '1', first.lease), scene.putting('a', '1', first.lease))
      await scene.put('c', '1', second.lease)
      const all = await scene.store.leases()
      const ids = all.map(({ lease }) => lease)
      check.deepEqual(
        ids,
        [...ids].sort((a, b) => a - b),
        'in order',
      )
      for (const { lease, ttlMs } of grants) {
        const status = all.find((each) => each.lease === lease)
        check.equal(status?.ttlMs, ttlMs, `lease ${lease} is listed with its time`)
        const left = status?.remainingMs
        check.ok(left === undefined || (left > 0 && left <= ttlMs), `${left} of ${ttlMs} ms are left`)
      }
      check.equal(await keysOn(scene, first.lease), 'a b')
      check.equal(await keysOn(scene, second.lease), 'c')
    },
  },
  {
    name: 'a put binds its key to the lease named, to none, or to the one it has',
    async play(scene) {
      const { lease } = await scene.grant()
      const other = (await scene.grant()).lease
      const leaseOf = async (): Promise<number | undefined> => (await scene.get('a'))?.lease
      await scene.put('a', '1', lease)
      check.equal(await leaseOf(), lease)
      await scene.put('a', '2', 'keep')
      check.equal(await leaseOf(), lease, 'kept')
      await scene.put('a', '3', other)
      check.deepEqual(
        [await leaseOf(), await keysOn(scene, lease), await keysOn(scene, other)],
        [other, '', 'a'],
      )
      await scene.put('a', '4')
      check.deepEqual([await leaseOf(), await keysOn(scene, other)], [0, ''], 'none is the default')
      await scene.put('new', '1', 'keep')
      check.equal((await scene.get('new'))?.lease, 0, 'a new key has none to keep')
    },
  },
  {
    name: 'the end of a lease deletes its keys at one revision, and no others',
    async play(scene) {
      const { lease } = await scene.grant()
      const other = (await scene.grant()).lease
      await scene.txn(
        scene.putting('a', '1', lease),
        scene.putting('b', '1', lease),
        scene.putting('c', '1', other),
        scene.putting('free', '1'),
      )
      await scene.put('left', '1', lease)
      const before = await scene.put('left', '2')
      const { revision } = await scene.store.revokeLease(lease)
      check.equal(revision, before + 1)
      check.deepEqual(
        (await scene.list()).map(({ key }) => key),
        ['c', 'free', 'left'],
      )
      check.equal(await scene.revision(), revision)
      check.equal(await statusOf(scene, lease), undefined, 'it is listed no more')
    },
  },
  {
    name: 'a key that was deleted and made again is the old lease\u2019s no more',
    async play(scene) {
      const { lease } = await scene.grant()
      await scene.put('a', '1', lease)
      await scene.delete('a')
      check.equal(await keysOn(scene, lease), '')
      await scene.put('a', '2')
      await scene.store.revokeLease(lease)
      check.equal(await scene.valueOf('a'), '2')
    },
  },
  {
    name: 'a lease that has ended, or never was, is not found, and nothing is done',
    async play(scene) {
      const { lease } = await scene.grant()
      await scene.store.revokeLease(lease)
      const revision = await scene.put('a', '1')
      for (const id of [lease, neverGranted]) {
        await refused(scene.store.keepLeaseAlive(id), 'lease-not-found', `a renewal of lease ${id}`)
        await refusedChange(scene.store.revokeLease(id), 'lease-not-found', `the end of lease ${id}`)
        await refusedChange(scene.put('a', '2', id), 'lease-not-found', `a put with lease ${id}`)
      }
      check.equal(await scene.revision(), revision)
      check.equal(await scene.valueOf('a'), '1')
    },
  },
  {
    name: 'a renewal answers with the lease and its time',
    async play(scene) {
      const grant = await scene.grant()
      check.deepEqual(await scene.store.keepLeaseAlive(grant.lease), grant)
    },
  },
  {
    name: 'ids of leases that have ended are not used again',
    async play(scene) {
      const seen = new Set<number>()
      for (let i = 0; i < 20; i++) {
        const { lease } = await scene.grant()
        check.ok(!seen.has(lease), `lease ${lease} was given out before`)
        seen.add(lease)
        await scene.store.revokeLease(lease)
      }
    },
  },
  {
    name: 'one call renews many leases, each with an answer of its own in the order asked for',
    needs: ['bulk-renewal'],
    async play(scene) {
      const first = await scene.grant()
      const second = await scene.grant(700_000)
      const ended = await scene.grant()
      await scene.store.revokeLease(ended.lease)
      const asked = [second.lease, ended.lease, first.lease, neverGranted]
      const results = (await scene.store.keepLeasesAlive?.(asked)) ?? []
      check.deepEqual([results[0], results[2]], [second, first])
      check.ok(isAlthingError(results[1], 'lease-not-found') && isAlthingError(results[3], 'lease-not-found'))
      check.deepEqual(await scene.store.keepLeasesAlive?.([]), [])
    },
  },
]
