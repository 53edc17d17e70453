import type { Store } from '../../src/contracts/store.ts'
import type { World } from '../../src/contracts/world.ts'
import { pause } from '../../src/coordination/abortable.ts'
import { ElectionService } from '../../src/coordination/election/election.ts'
import type { ElectedTerm, Elector, ElectorAlgorithm } from '../../src/coordination/electors/elector-types.ts'
import { openElector } from '../../src/coordination/electors/open-elector.ts'
import { openClusterNode } from '../../src/engines/cluster/cluster-node.ts'
import { openClusterStore } from '../../src/engines/cluster/cluster-store.ts'
import { Simulation } from '../../src/testing/world/simulation.ts'

/** What the end of one leader costs, with the defaults of the elector. */
export interface Failover {
  /** From the crash to the moment when another leads by its own account. */
  readonly ms: number
  /** What the others have asked of the store by then, but for renewals; 0 where there is none. */
  readonly writes: number
  readonly reads: number
}

const members = Array.from({ length: 5 }, (_, i) => ({ id: i + 1, address: `n${i + 1}:7500` }))
const storeNode = { id: 9, address: 'store:7400' }
const calmMs = 5_000

interface Asked {
  writes: number
  reads: number
}

/** Five machines that all stand, and a store of its own for those that need one: the leader's machine dies. */
export async function leaderFailover(algorithm: ElectorAlgorithm, seed: number): Promise<Failover> {
  const simulation = new Simulation({ seed })
  const terms = new Map<number, ElectedTerm>()
  const asked: Asked = { writes: 0, reads: 0 }
  simulation.process('store', async (world) => {
    await openClusterNode({ world, id: storeNode.id, members: [storeNode], clusterId: 'bench' })
  })
  const processes = members.map(({ id }) =>
    simulation.process(`n${id}`, async (world) => {
      const elector = await open(algorithm, world, id, asked)
      for (;;) {
        const term = await elector.campaign()
        terms.set(id, term)
        while (term.isLeader) await pause(world, 1_000, term.lost)
      }
    }),
  )
  const leaders = (): number[] => [...terms].filter(([, term]) => term.isLeader).map(([id]) => id)
  await simulation.runUntil(() => leaders().length === 1, { limitMs: 60_000 })
  // In bully and ring the greatest takes over from whoever was there before it.
  await simulation.runUntil(simulation.nowMs + calmMs + simulation.random('when').integer(0, 1_000))
  const [leader] = leaders() as [number]
  processes[leader - 1]?.crash()
  terms.delete(leader)
  Object.assign(asked, { writes: 0, reads: 0 })
  const diedMs = simulation.nowMs
  await simulation.runUntil(() => leaders().length > 0, { limitMs: 60_000 })
  return { ms: simulation.nowMs - diedMs, ...asked }
}

async function open(algorithm: ElectorAlgorithm, world: World, id: number, asked: Asked): Promise<Elector> {
  if (algorithm !== 'lock')
    return await openElector({ algorithm, world, election: 'bench', id, members, folder: 'election' })
  const store = counted(openClusterStore(world, { endpoints: [storeNode.address] }), asked)
  const elections = new ElectionService({ store, world })
  return await openElector({ algorithm, elections, election: 'bench', node: String(id) })
}

function counted(store: Store, asked: Asked): Store {
  const writes = new Set<PropertyKey>(['txn', 'grantLease', 'revokeLease'])
  return new Proxy(store, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name)
      if (typeof value !== 'function') return value
      return (...args: unknown[]): unknown => {
        if (writes.has(name)) asked.writes++
        if (name === 'range') asked.reads++
        return Reflect.apply(value, target, args)
      }
    },
  })
}
