import { open } from 'althing'
import { type Elector, electorGuarantees, openElector } from 'althing/coordination'
import { SeededRandom, Simulation } from 'althing/testing/world'

// Three nodes. On real machines: createNodeWorld of althing/world in place of the simulated one.
const members = [1, 2, 3].map((id) => ({ id, address: `node-${id}:7500` }))
const simulation = new Simulation({ seed: new SeededRandom('elections').integer(1, 1_000) })
const electors: Elector[] = []
const leaders: string[] = []

for (const { id } of members) {
  simulation.process(`node-${id}`, async (world) => {
    const elector = await openElector({ algorithm: 'bully', world, election: 'scheduler', id, members })
    electors.push(elector)
    const leadership = await elector.campaign()
    leadership.lost.addEventListener('abort', () => console.log(`${elector.node} stops`))
    leaders.push(elector.node)
  })
}
await simulation.runUntil(() => electors.length === 3 && electors.every(({ leader }) => leader?.node === '3'))
console.log(leaders, electorGuarantees.bully.inAPartition, electorGuarantees.raft.inAPartition)

// The same code on the leased lock of a store.
const althing = await open('memory:')
const { elections } = althing
const elector = await openElector({ algorithm: 'lock', elections, election: 'scheduler', node: 'node-1' })
const leadership = await elector.campaign()
console.log(leadership.node, leadership.isLeader)
await elector.close()
await althing.close()
