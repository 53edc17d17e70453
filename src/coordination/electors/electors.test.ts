import { describe, expect, test } from 'vitest'
import type { World } from '../../contracts/world.ts'
import { openClusterNode } from '../../engines/cluster/cluster-node.ts'
import { openClusterStore } from '../../engines/cluster/cluster-store.ts'
import type { SimulatedProcess } from '../../testing/world/simulated-process.ts'
import { Simulation } from '../../testing/world/simulation.ts'
import { pause } from '../abortable.ts'
import { ElectionService } from '../election/election.ts'
import { type ElectedTerm, type Elector, type ElectorAlgorithm, electorGuarantees } from './elector-types.ts'
import { openElector } from './open-elector.ts'

const members = [1, 2, 3].map((id) => ({ id, address: `n${id}:7500` }))
const store = { id: 9, address: 'store:7400' }

/** Three machines that elect, each of which stands again whenever it has lost, and a store for those that need one. */
class Bed {
  readonly simulation: Simulation
  readonly electors = new Map<number, Elector>()
  readonly terms = new Map<number, ElectedTerm>()
  readonly lost: unknown[] = []
  readonly #processes = new Map<number, SimulatedProcess>()

  constructor(algorithm: ElectorAlgorithm, { seed = 1, stands = [1, 2, 3] } = {}) {
    this.simulation = new Simulation({ seed })
    this.simulation.process('store', async (world) => {
      await openClusterNode({ world, id: store.id, members: [store], clusterId: 'test' })
    })
    for (const { id } of members) {
      const main = async (world: World): Promise<void> => {
        this.terms.delete(id)
        const elector = await open(algorithm, world, id)
        this.electors.set(id, elector)
        while (stands.includes(id)) {
          const term = await elector.campaign()
          this.terms.set(id, term)
          term.lost.addEventListener('abort', () => this.lost.push(term.lost.reason))
          while (term.isLeader) await pause(world, 20, term.lost)
          await pause(world, 50)
        }
      }
      this.#processes.set(id, this.simulation.process(`n${id}`, main))
    }
  }

  process(id: number): SimulatedProcess {
    return this.#processes.get(id) as SimulatedProcess
  }

  get leaders(): number[] {
    return [...this.terms].filter(([, term]) => term.isLeader).map(([id]) => id)
  }

  /** All that run name the same leader, and it takes itself for it. */
  hasAgreed(ids: readonly number[]): boolean {
    const [leader] = this.leaders
    if (leader === undefined || this.leaders.length > 1 || !ids.includes(leader)) return false
    return ids.every((id) => this.electors.get(id)?.leader?.node === String(leader))
  }
}

async function open(algorithm: ElectorAlgorithm, world: World, id: number): Promise<Elector> {
  if (algorithm !== 'lock')
    return await openElector({ algorithm, world, election: 'test', id, members, folder: 'election' })
  const service = new ElectionService({
    store: openClusterStore(world, { endpoints: [store.address] }),
    world,
  })
  return await openElector({ algorithm, elections: service, election: 'test', node: String(id), ttl: '2s' })
}

describe.each(['bully', 'ring', 'raft', 'lock'] as const)('an election by %s', (algorithm) => {
  test('has one leader, whom all see; when it dies another leads, in another term', async () => {
    const bed = new Bed(algorithm)
    await bed.simulation.runUntil(() => bed.hasAgreed([1, 2, 3]), { limitMs: 30_000 })
    const first = bed.leaders[0] as number
    const term = bed.terms.get(first)?.term
    bed.process(first).crash()
    bed.terms.delete(first)
    const others = [1, 2, 3].filter((id) => id !== first)
    await bed.simulation.runUntil(() => bed.hasAgreed(others), { limitMs: 30_000 })
    const next = bed.terms.get(bed.leaders[0] as number)?.term as number
    if (bed.electors.get(others[0] as number)?.guarantees.termsGrow === true)
      expect(next).toBeGreaterThan(term as number)
    else expect(next).not.toBe(term)
    bed.process(first).start()
    await bed.simulation.runUntil(() => bed.hasAgreed([1, 2, 3]), { limitMs: 30_000 })
  })

  test('only who stands leads; a resignation lets another lead at once, and is no loss', async () => {
    const bed = new Bed(algorithm, { stands: [] })
    await bed.simulation.runUntil(() => bed.electors.size === 3, { limitMs: 30_000 })
    await bed.simulation.runUntil(bed.simulation.nowMs + 20_000)
    expect([...bed.electors.values()].map(({ leader }) => leader)).toEqual([undefined, undefined, undefined])
    const [one, two] = [bed.electors.get(1), bed.electors.get(2)] as [Elector, Elector]
    let terms: ElectedTerm[] = []
    void (async () => {
      const first = await one.campaign()
      const waiting = two.campaign()
      if (algorithm === 'raft' || algorithm === 'lock') await first.resign()
      terms = [first, await waiting]
    })()
    await bed.simulation.runUntil(() => terms.length === 2, { limitMs: 60_000 })
    const [first, second] = terms as [ElectedTerm, ElectedTerm]
    expect([first.isLeader, second.isLeader, second.node]).toEqual([false, true, '2'])
    expect(second.term).not.toBe(first.term)
    // In bully the greater one has taken over.
    expect(first.lost.aborted).toBe(algorithm === 'bully' || algorithm === 'ring')
    let isResigned = false
    void second.resign().then(() => {
      isResigned = true
    })
    await bed.simulation.runUntil(() => isResigned, { limitMs: 30_000 })
    expect([second.isLeader, second.lost.aborted]).toEqual([false, false])
  })

  test('in a network of two parts it does what its guarantees say, and has one leader again after it', async () => {
    const bed = new Bed(algorithm)
    await bed.simulation.runUntil(() => bed.hasAgreed([1, 2, 3]), { limitMs: 30_000 })
    const leader = bed.leaders[0] as number
    const rest = ['n1', 'n2', 'n3', 'store'].filter((host) => host !== `n${leader}`)
    const undo = bed.simulation.network.partition([`n${leader}`], rest)
    let doubleMs = 0
    for (let ms = 0; ms < 20_000; ms += 50) {
      await bed.simulation.runUntil(bed.simulation.nowMs + 50)
      if (bed.leaders.length > 1) doubleMs += 50
      const terms = bed.leaders.map((id) => bed.terms.get(id)?.term)
      expect(new Set(terms).size).toBe(terms.length)
    }
    const isInEvery = electorGuarantees[algorithm].inAPartition === 'a leader in every part'
    if (isInEvery) expect(doubleMs).toBeGreaterThan(10_000)
    else expect(doubleMs).toBe(0)
    expect(bed.leaders.some((id) => id !== leader)).toBe(true)
    undo()
    await bed.simulation.runUntil(() => bed.hasAgreed([1, 2, 3]), { limitMs: 60_000 })
  })

  test('a leader whose loop was blocked for long knows at the first instruction after it that it leads no more', async () => {
    const bed = new Bed(algorithm)
    await bed.simulation.runUntil(() => bed.hasAgreed([1, 2, 3]), { limitMs: 30_000 })
    const leader = bed.leaders[0] as number
    const held = bed.terms.get(leader) as ElectedTerm
    bed.process(leader).pause()
    await bed.simulation.runUntil(bed.simulation.nowMs + 10_000)
    expect(held.isLeader).toBe(false)
    bed.process(leader).resume()
    await bed.simulation.runUntil(() => held.lost.aborted, { limitMs: 30_000 })
    expect(held.lost.reason).toMatchObject({ code: 'lost' })
    await bed.simulation.runUntil(() => bed.hasAgreed([1, 2, 3]), { limitMs: 60_000 })
  })

  test('a campaign ends with its signal (aborted) or with the elector (closed), as do observers', async () => {
    const bed = new Bed(algorithm, { stands: [1] })
    await bed.simulation.runUntil(() => bed.hasAgreed([1, 2, 3]), { limitMs: 30_000 })
    const elector = bed.electors.get(algorithm === 'lock' || algorithm === 'raft' ? 2 : 1) as Elector
    const seen: unknown[] = []
    void (async () => {
      if (elector.node === '1') {
        const rejection = await elector.campaign().catch((error: unknown) => error)
        seen.push((rejection as { code: string }).code)
      } else {
        const leaving = new AbortController()
        const campaign = elector.campaign({ signal: leaving.signal }).catch((error: unknown) => error)
        leaving.abort()
        seen.push(((await campaign) as { code: string }).code)
        const second = elector.campaign().catch((error: unknown) => error)
        const observed = (async () => {
          for await (const leader of elector.observe()) seen.push(leader?.node)
        })()
        await Promise.resolve()
        await elector.close()
        await elector.close()
        seen.push(((await second) as { code: string }).code)
        await observed
      }
      seen.push('end')
    })()
    await bed.simulation.runUntil(() => seen.at(-1) === 'end', { limitMs: 30_000 })
    expect(seen).toEqual(
      elector.node === '1' ? ['conflict', 'end'] : expect.arrayContaining(['aborted', 'closed', 'end']),
    )
  })
})

test.each([
  ['algorithm', { algorithm: 'paxos' }],
  ['members', { members: [] }],
  ['id', { id: 7 }],
  ['folder', { algorithm: 'raft' }],
  ['election', { election: '' }],
  ['heartbeat', { heartbeat: 'soon' }],
])('openElector refuses a wrong %s by name', async (field, wrong) => {
  const simulation = new Simulation({ seed: 1 })
  let failure: unknown
  simulation.process('n1', async (world) => {
    const options = { algorithm: 'bully', world, election: 'test', id: 1, members, ...wrong }
    failure = await openElector(options as Parameters<typeof openElector>[0]).catch((error: unknown) => error)
  })
  await simulation.runUntil(() => failure !== undefined)
  expect(failure).toMatchObject({ code: 'invalid-argument', message: expect.stringContaining(field) })
})
