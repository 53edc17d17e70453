import { open } from 'althing'
import { createGateway } from 'althing/traffic'
import { NodeHttpProxyHost } from 'althing/world'

const althing = await open('memory:')
const gateway = await createGateway(
  { world: althing.world, http: new NodeHttpProxyHost(), directory: althing.discovery },
  { service: 'agora', listen: '127.0.0.1:0', trustedProxies: ['10.0.0.0/8'], routeHeaders: 'route' },
)

const reply = await fetch(`http://${gateway.address}/timeline`, { headers: { 'x-user-id': '42' } })
console.log(reply.status) // 503: no instance of the service is registered yet
gateway.why({ userId: '42' }) // where the next request of this user goes, and the reason
gateway.recentRoutes() // the routes that the last requests took

await gateway.drain({ within: '1s' })
await althing.close()
