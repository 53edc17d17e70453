import { PositiveNegativeCounter } from 'althing/protocols/crdt'

const here = new PositiveNegativeCounter('server-1')
const there = new PositiveNegativeCounter('server-2')
here.increment(5)
there.increment(4)
there.decrement(2)

const delta = here.takeDelta() // what is new since the last call; encode() is the whole state
if (delta !== undefined) there.merge(delta)
here.merge(there.encode())
here.merge(there.encode()) // twice does no harm
console.log(here.value, there.value)
