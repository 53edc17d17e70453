import { open } from 'althing'

const althing = await open('memory:') // or 'file:./data', or 'althing://10.0.0.1:7400,10.0.0.2:7400'

await althing.store.put('config/limit', 20)
const limit = await althing.store.get('config/limit')

const lock = await althing.locks.acquire('nightly-report', { ttl: '30s' })
lock.lost.addEventListener('abort', () => console.error('stop the work:', lock.lost.reason))
console.log(`limit ${String(limit?.value)}, held: ${lock.isHeld}, fencing token ${lock.token}`)
await lock.release()

await althing.close()
