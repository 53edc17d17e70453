import { open } from 'althing'

const althing = await open('memory:')
const { tree } = althing
const bytes = new TextEncoder()

await tree.create('/workers', bytes.encode('pool'), { kind: 'container' })
const session = await tree.session({ ttl: '10s' })
const first = await tree.create('/workers/w-', bytes.encode('10.0.0.1'), {
  kind: 'ephemeral',
  sequential: true,
  session,
})
console.log(first)

// What changes between a read and its watch is not missed.
const { names, revision } = await tree.children('/workers')
const changed = tree.nextChange('/workers', 'child', { after: revision })
await tree.multi([
  { op: 'check', path: '/workers', version: 0 },
  { op: 'create', path: '/workers/w-', sequential: true },
])
console.log(names.length, (await changed).type)

await session.close() // and its nodes are gone
console.log((await tree.children('/workers')).names)
await althing.close()
