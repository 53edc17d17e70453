import { open } from 'althing'

const althing = await open('memory:')

const lock = await althing.locks.acquire('orders/42', { ttl: '30s', waitTimeout: '10s', note: 'billing run' })
try {
  const balance = new TextEncoder().encode('100')
  await lock.txn({ then: [{ op: 'put', key: 'balance', value: balance }] }) // refused by the store if the lock is gone
  console.log(await althing.locks.tryAcquire('orders/42', { owner: 'another' })) // null: it is held
} finally {
  await lock.release()
}

const sum = await althing.locks.with('orders/42', {}, async ({ lost }) => (lost.aborted ? 0 : 1 + 1))
console.log(sum)
await althing.close()
