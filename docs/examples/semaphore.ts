import { open } from 'althing'

const althing = await open('memory:')
const { semaphores } = althing

const big = await semaphores.acquire('reports', { limit: 3, permits: 2, note: 'yearly' })
const small = await semaphores.tryAcquire('reports', { limit: 3 })
console.log(small?.permits, await semaphores.tryAcquire('reports', { limit: 3 })) // 1 null: all three are out
await big.release()
await small?.release()

await semaphores.setLimit('reports', 10, { by: 'ada', reason: 'a second machine' })
const all = await semaphores.acquire('reports', { permits: 10 }) // what the operator set counts
console.log(all.limit, (await semaphores.explain('reports')).taken)
await all.release()
await althing.close()
