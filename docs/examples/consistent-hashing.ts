import { createKeyHash, HashRing, jumpHash, Rendezvous } from 'althing/traffic'

const hash = await createKeyHash()
const ring = new HashRing(hash)
ring.add('node-1')
ring.add('node-2', 2) // twice the share
ring.add('node-3')

const sessions = new Map([['node-1', 0]])
const owner = ring.owner('user-42')
const heirs = ring.owners('user-42', 3) // distinct, in the order in which they would inherit the key
const bounded = ring.ownerWithinLoad('user-42', (member) => sessions.get(member) ?? 0, 1.25)
console.log(owner === heirs[0], heirs.length, bounded === owner)

ring.remove(owner as string)
console.log(ring.owner('user-42') === heirs[1])

const few = new Rendezvous(hash) // no points, even shares: for tens of members
for (const member of ['node-1', 'node-2', 'node-3']) few.add(member)
const shard = jumpHash(hash('user-42'), 64) // no memory at all: for numbered shards
console.log(few.owners('user-42', 2).length, shard >= 0 && shard < 64)
