import {
  compareLamport,
  Departures,
  formatHybrid,
  HybridClock,
  LamportClock,
  VectorClock,
} from 'althing/protocols/clocks'

// Which came first? One total order for all nodes.
const alice = new LamportClock('alice')
const bob = new LamportClock('bob')
const sent = alice.send()
const received = bob.receive(sent)
console.log(compareLamport(sent, received))

// Did one know of the other? Two writes that did not are a conflict.
const base = VectorClock.zero.tick('alice')
const hers = base.tick('alice')
const his = base.tick('bob')
console.log(hers.compare(his), base.compare(his), hers.merge(his).compare(his))

// Bob has left for good, after one event: his entry goes, and nothing compares otherwise than before.
const departures = new Departures([{ node: 'bob', finalCount: 1 }])
console.log(hers.prune(departures).compare(his.prune(departures)), his.prune(departures).size)

// When was it, about, and in an order that no wrong wall clock can break?
const clock = new HybridClock({ skewMsMax: 500 })
const first = clock.now(1_700_000_000_000)
const second = clock.now(1_699_990_000_000) // the wall clock went back by almost three hours
console.log(formatHybrid(first) < formatHybrid(second), clock.skew().aheadMs)
