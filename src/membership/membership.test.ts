import { afterEach, describe, expect, test } from 'vitest'
import type { World } from '../contracts/world.ts'
import { Simulation } from '../testing/world/simulation.ts'
import type { SimulatedProcess } from '../testing/world/simulated-process.ts'
import { createNodeWorld } from '../world/node-world.ts'
import { Membership, type MembershipChange, type MembershipOptions } from './membership.ts'
import { openDatagramTransport } from './membership-transport.ts'

const secret = 'a secret of sixteen bytes or more'

/** Members on machines of their own, over simulated datagrams. */
class Bed {
  readonly simulation: Simulation
  readonly members = new Map<number, Membership>()
  readonly processes = new Map<number, SimulatedProcess>()

  constructor(seed: number, size: number, options: Partial<MembershipOptions> = {}) {
    this.simulation = new Simulation({ seed })
    for (let n = 1; n <= size; n++) this.processes.set(n, this.#start(n, size, options))
  }

  get running(): Membership[] {
    return [...this.members]
      .filter(([n]) => this.processes.get(n)?.isRunning === true)
      .map(([, each]) => each)
  }

  allSee(id: string, ...states: (string | undefined)[]): boolean {
    return this.running.every((each) => each.self.id === id || states.includes(each.member(id)?.state))
  }

  async until(isTrue: () => boolean, limitMs = 120_000): Promise<void> {
    await this.simulation.runUntil(isTrue, { limitMs })
    expect(isTrue()).toBe(true)
  }

  #start(n: number, size: number, options: Partial<MembershipOptions>): SimulatedProcess {
    const seeds = Array.from({ length: Math.min(3, size) }, (_, i) => `m${i + 1}:7946`)
    return this.simulation.process(`m${n}`, async (world: World) => {
      const transport = await openDatagramTransport(world, { listen: `m${n}:7946`, secret })
      const membership = new Membership({ world, transport }, { id: `m${n}`, ...options })
      this.members.set(n, membership)
      await membership.join(seeds, { timeout: '60s' }).catch(() => {})
    })
  }
}

describe('members over datagrams', () => {
  test('find each other, see a crash, and the return of one that crashed', async () => {
    const bed = new Bed(1, 12)
    await bed.until(() => bed.running.length === 12 && bed.running.every((each) => each.live().length === 12))
    bed.processes.get(5)?.crash()
    await bed.until(() => bed.allSee('m5', 'failed'))
    bed.processes.get(5)?.start()
    await bed.until(() => bed.allSee('m5', 'recovered') && bed.members.get(5)?.live().length === 12)
  })

  test('pass on tags, and what a program says of its health', async () => {
    const bed = new Bed(2, 6)
    await bed.until(() => bed.running.length === 6 && bed.running.every((each) => each.live().length === 6))
    bed.members.get(2)?.setTags({ role: 'worker' })
    bed.members.get(2)?.setHealth('no database')
    await bed.until(() => bed.allSee('m2', 'degraded'))
    expect(bed.members.get(4)?.member('m2')).toMatchObject({
      tags: { role: 'worker' },
      degraded: 'no database',
    })
    bed.members.get(2)?.setHealth(undefined)
    await bed.until(() => bed.allSee('m2', 'alive'))
  })

  test('know one that has left as left', async () => {
    const bed = new Bed(3, 6)
    await bed.until(() => bed.running.length === 6 && bed.running.every((each) => each.live().length === 6))
    void bed.members.get(6)?.leave()
    bed.members.delete(6)
    await bed.until(() => bed.allSee('m6', 'left'))
  })

  test('take one that was paused for seconds back without ever calling it failed for good', async () => {
    const bed = new Bed(4, 8)
    await bed.until(() => bed.running.length === 8 && bed.running.every((each) => each.live().length === 8))
    bed.processes.get(3)?.pause()
    await bed.until(() => bed.allSee('m3', 'suspect', 'failed'))
    bed.processes.get(3)?.resume()
    await bed.until(() => bed.allSee('m3', 'alive', 'recovered', 'degraded'))
  })
})

describe('a membership', () => {
  const open: Membership[] = []
  afterEach(async () => {
    await Promise.all(open.splice(0).map((each) => each.close()))
  })

  async function real(
    id: string,
    given: string | undefined = secret,
    group = 'default',
  ): Promise<Membership> {
    const world = createNodeWorld({ dataFolder: '/nonexistent' })
    const transport = await openDatagramTransport(world, {
      listen: '127.0.0.1:0',
      group,
      ...(given === '' ? {} : { secret: given }),
    })
    const membership = new Membership({ world, transport }, { id, probeInterval: 200 })
    open.push(membership)
    return membership
  }

  test('finds others over UDP, and tells of them in its changes', async () => {
    const first = await real('a')
    const changes = first.changes()
    const second = await real('b')
    await second.join([first.self.address])
    const { value } = (await changes.next()) as { value: MembershipChange }
    expect(value).toMatchObject({ kind: 'changed', before: undefined, member: { id: 'b', state: 'alive' } })
    expect(second.live().map(({ id }) => id)).toEqual(['b', 'a'])
  })

  test('does not hear those of another secret, of none, or of another group', async () => {
    const first = await real('a')
    for (const other of [
      await real('b', 'another secret of 16 bytes'),
      await real('c', ''),
      await real('d', secret, 'x'),
    ]) {
      await expect(other.join([first.self.address], { timeout: 300 })).rejects.toMatchObject({
        code: 'timeout',
        outcome: 'unknown',
      })
    }
    expect(first.live()).toHaveLength(1)
  })

  test('whose name is taken is told so by its join and ends; the one that has it goes on, and hears of it too', async () => {
    const first = await real('a')
    const told = first.changes()
    const other = await real('b')
    await other.join([first.self.address])
    await expect.poll(() => Date.now()).toBeGreaterThan(first.self.incarnation)
    const second = await real('a')
    const { address } = second.self
    const ends = second.changes()
    await expect(second.join([other.self.address])).rejects.toMatchObject({
      code: 'conflict',
      outcome: 'none',
      details: { id: 'a', address: first.self.address },
    })
    expect(second.lost.reason).toMatchObject({ code: 'conflict' })
    expect(() => second.setTags({})).toThrow(/goes by the name "a"/)
    expect(await ends.next()).toMatchObject({ value: { kind: 'conflict', hasEnded: true } })
    expect(await ends.next()).toMatchObject({ done: true })
    const kinds: MembershipChange[] = [(await told.next()).value, (await told.next()).value]
    expect(kinds).toMatchObject([
      { kind: 'changed', member: { id: 'b' } },
      { kind: 'conflict', address, hasEnded: false },
    ])
    expect([first.lost.aborted, other.member('a')?.address]).toEqual([false, first.self.address])
  })

  test('joins one that joins it at the same moment', async () => {
    const [one, two] = [await real('a'), await real('b')]
    await Promise.all([one.join([two.self.address]), two.join([one.self.address])])
    expect([one.live().length, two.live().length]).toEqual([2, 2])
  })

  test('takes a secret after the one in use, so that it can be changed one process after another', async () => {
    const first = await real('a', `${secret}\nthe next one of 16 bytes`)
    const second = await real('b', `the next one of 16 bytes\n${secret}`)
    await second.join([first.self.address])
    expect(second.live()).toHaveLength(2)
  })

  test('ends its waits and its changes when it closes, and then refuses', async () => {
    const first = await real('a')
    const joining = first.join(['127.0.0.1:9'], { timeout: '30s' })
    const refused = expect(joining).rejects.toMatchObject({ code: 'closed' })
    const reading = first.changes().next()
    await first.close()
    await first.close()
    await refused
    expect(await reading).toMatchObject({ done: true })
    expect(() => first.setTags({})).toThrow(/closed/)
    await expect(first.join([])).rejects.toMatchObject({ code: 'closed' })
  })

  test('stops to wait when its caller does', async () => {
    const first = await real('a')
    const abort = new AbortController()
    const joining = first.join(['127.0.0.1:9'], { signal: abort.signal })
    abort.abort()
    await expect(joining).rejects.toMatchObject({ code: 'aborted' })
  })

  test('refuses what it may not be given, by its name', async () => {
    const first = await real('a')
    expect(() => first.setTags({ a: 'x'.repeat(500) })).toThrow(/tags/)
    expect(() => first.setHealth('x'.repeat(200))).toThrow(/degraded/)
    await expect(first.join(Array.from({ length: 300 }, () => 'h:1'))).rejects.toThrow(/addresses/)
    const world = createNodeWorld({ dataFolder: '/nonexistent' })
    await expect(openDatagramTransport(world, { listen: '0.0.0.0:0' })).rejects.toThrow(/secret/)
    await expect(openDatagramTransport(world, { listen: '127.0.0.1:0', secret: 'short' })).rejects.toThrow(
      /secret.*16 bytes/,
    )
  })
})
