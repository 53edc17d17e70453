import { open } from 'althing'
import { isEligible } from 'althing/coordination'

const althing = await open('memory:')

const registration = await althing.discovery.register({
  service: 'api',
  id: 'api-1',
  address: '10.0.0.3:80',
  zone: 'north',
  version: '1.4.0',
  weight: 100,
  metadata: { shard: '7' },
})

const live = althing.discovery.watch('api')
await live.ready
console.log(live.current.instances.filter(isEligible).map(({ id, address }) => `${id} at ${address}`))

const balancer = await althing.discovery.balancer('api', { policy: 'power-of-two', zone: 'north' })
const pick = balancer.pick() // an instance for one piece of work
console.log(`ask ${pick.instance.id}`)
pick.done() // or pick.failed(cause)
balancer.close()

await registration.deregister({ drainFor: '100ms' }) // serve what there is, get nothing new, then leave
for await (const { instances } of live.changes) if (instances.length === 0) break
console.log('nobody is left')
await althing.close()
