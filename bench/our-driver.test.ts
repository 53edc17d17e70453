import { open } from 'althing'
import { expect, test } from 'vitest'
import { OurDriver } from './our-driver.ts'

test('the leases of a round are revoked after it, all of them', async () => {
  const driver = new OurDriver(await open('memory:'))
  await Promise.all(Array.from({ length: 300 }, () => driver.grantLease(5_000)))
  expect(await driver.revokeLeases(5_000)).toBe(300)
  expect(await driver.revokeLeases(5_000)).toBe(0)
  await driver.close()
})
