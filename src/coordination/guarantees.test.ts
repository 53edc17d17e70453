import { expect, test } from 'vitest'
import type { Store, StoreCapabilities } from '../contracts/store.ts'
import { assertGuarantees } from './guarantees.ts'
import { lockRequirements } from './locks/lock.ts'

const full: StoreCapabilities = {
  linearizable: true,
  durability: 'quorum-disk',
  leaseSurvivesFailover: true,
  timeAuthority: 'server',
  leaseExpiryResolutionMs: 200,
  fencing: true,
  watchResume: true,
  exactlyOnce: true,
}

function storeWith(changes: Partial<StoreCapabilities>): Store {
  return { capabilities: { ...full, ...changes } } as Store
}

test('a recipe refuses to start on a store that lacks a guarantee, and names it', () => {
  expect(() => assertGuarantees(storeWith({}), lockRequirements)).not.toThrow()
  const weak = storeWith({ fencing: false, timeAuthority: 'client' })
  expect(() => assertGuarantees(weak, lockRequirements)).toThrow(/lock needs 'server-time', 'fencing'/)
})

test('a caller accepts weaker guarantees by name, and only those', () => {
  const weak = storeWith({ fencing: false, watchResume: false })
  expect(() =>
    assertGuarantees(weak, lockRequirements, { accept: ['fencing', 'watch-resume'] }),
  ).not.toThrow()
  expect(() => assertGuarantees(weak, lockRequirements, { accept: ['fencing'] })).toThrow(/'watch-resume'/)
})
