import { open } from 'althing'

const althing = await open('memory:')

// Three workers begin together, and end together. Usually each is a process of its own.
async function worker(): Promise<void> {
  const stay = await althing.barriers.enter('load-test', { parties: 3, waitTimeout: '5m' })
  if (stay.index === 0) console.log('all 3 are there')
  stay.lost.addEventListener('abort', () => console.error('the others take me for gone:', stay.lost.reason))
  await stay.leave()
}
await Promise.all([worker(), worker(), worker()])
console.log('all have left')

// A service is ready once two parts of it are: each counts once, however often it says so.
await althing.latches.create('ready', 2, { keepFor: '1d' })
const ready = althing.latches.wait('ready', { waitTimeout: '5m' })
await althing.latches.countDown('ready', { party: 'schema' })
await althing.latches.countDown('ready', { party: 'schema' })
await althing.latches.countDown('ready', { party: 'cache' })
await ready
console.log('open')
await althing.close()
