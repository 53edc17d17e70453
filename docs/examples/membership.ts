import { createNodeWorld } from 'althing/world'
import { Membership, openDatagramTransport } from 'althing/membership'

const world = createNodeWorld({ dataFolder: './data' })
const secret = 'sixteen bytes or more, the same at all members'
const openMember = async (id: string) =>
  new Membership(
    { world, transport: await openDatagramTransport(world, { listen: '127.0.0.1:0', secret }) },
    { id },
  )

const first = await openMember('a')
const second = await openMember('b')
await second.join([first.self.address], { timeout: '10s' })
console.log(second.live().map(({ id, state }) => `${id} ${state}`)) // [ 'b alive', 'a alive' ]
second.setTags({ role: 'worker' })
second.setHealth('the queue is full') // seen as degraded; setHealth(undefined) takes it back
await second.leave() // seen as left, not as failed
await first.close()
