import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Store } from '../../src/contracts/store.ts'
import { openEtcdStore } from '../../src/engines/etcd/etcd-store.ts'
import { differentialRun } from '../../src/testing/conformance/differential/differential-run.ts'
import { etcdUnavailable } from '../engines/servers/etcd-servers.ts'
import { type EtcdBed, openEtcdBed } from './beds/etcd-bed.ts'

describe.skipIf(etcdUnavailable() !== undefined).each([
  ['one member', 1, 1_000],
  ['three members', 3, 200],
] as const)('an etcd of %s and the store model', (_, members, commands) => {
  let bed: EtcdBed | undefined
  const stores: Store[] = []

  beforeAll(async () => {
    bed = await openEtcdBed(members)
    // One for each member: they have to be alike.
    for (const endpoint of bed.endpoints) {
      stores.push(await openEtcdStore(bed.world, { endpoints: [endpoint] }))
    }
  })

  afterAll(async () => {
    for (const store of stores) await store.close()
    await bed?.[Symbol.asyncDispose]()
  })

  test.each([1, 2, 3])(
    'answer random commands alike (seed %i)',
    async (seed) => {
      const { world } = bed as EtcdBed
      const { difference } = await differentialRun({ stores, world, seed, commands })
      expect(difference?.text).toBeUndefined()
    },
    300_000,
  )
})
