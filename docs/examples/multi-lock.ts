import { open } from 'althing'

const althing = await open('memory:')

const both = await althing.locks.acquireAll(['accounts/7', 'accounts/42'], { waitTimeout: '10s' })
try {
  const text = (value: string) => new TextEncoder().encode(value)
  // Refused by the store when any of the locks is gone.
  await both.txn({
    then: [
      { op: 'put', key: 'balance/7', value: text('90') },
      { op: 'put', key: 'balance/42', value: text('110') },
    ],
  })
  console.log(both.names, await althing.locks.tryAcquire('accounts/7'))
} finally {
  await both.release()
}
await althing.close()
