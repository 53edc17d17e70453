import { open } from 'althing'

const althing = await open('memory:')

await althing.counters.set('orders', 41)
await Promise.all([althing.counters.add('orders'), althing.counters.add('orders', 1n)])
console.log(await althing.counters.get('orders'))

const limits = althing.atomics.value<{ requests: number }>('limits')
console.log(await limits.compareAndSet(undefined, { requests: 100 }))

// Under a lock: the store refuses the write once the lock is gone.
const lock = await althing.locks.acquire('operator')
await limits.update((now) => ({ requests: (now?.requests ?? 0) * 2 }), { fence: lock.fence })
await lock.release()
console.log(await limits.get())
await althing.close()
