import { open } from 'althing'

const althing = await open('memory:')

const first = await althing.elections.campaign('scheduler', { candidate: 'node-1', value: '10.0.0.1:80' })
first.lost.addEventListener('abort', () => console.error('stop scheduling:', first.lost.reason))
await first.proclaim('10.0.0.1:80 busy')

const waiting = althing.elections.campaign('scheduler', {
  candidate: 'node-2',
  value: '10.0.0.2:80',
  ttl: '10s',
})
await first.resign() // or first.transfer('node-2'), once that one stands
const second = await waiting

for await (const { leader } of althing.elections.observe('scheduler')) {
  console.log(`${leader?.candidate} leads: ${leader?.value}, term grew: ${second.term > first.term}`)
  break
}
await althing.close()
