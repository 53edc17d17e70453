import { expect } from 'vitest'
import { isAlthingError } from '../../contracts/errors.ts'
import { answerHttp } from '../../testing/world/probe-port.ts'
import { type App, sleep, TestBed, testInSimulator } from '../test-bed.test-support.ts'
import { CheckDuty } from './check-duty.ts'
import { Discovery } from './discovery.ts'
import type { LiveSet } from './discovery-types.ts'

const ttlMs = 3_000
/** The store's resolution of expiry, one interval of renewal of a slow clock, and the way of the news. */
const lateMs = 1_000
const instances = ['i1', 'i2', 'i3', 'i4']
const watchers = ['v1', 'v2']

/** Registered again and again, whatever happens. */
async function serve({ store, world }: App, id: string): Promise<void> {
  for (;;) {
    try {
      const discovery = new Discovery({ store, world })
      const service = { service: 'api', id, address: `${id}:80`, ttl: ttlMs, takeOver: true }
      const { lost } = await discovery.register(service)
      await new Promise((resolve) => {
        lost.addEventListener('abort', resolve, { once: true })
      })
      await discovery.close()
    } catch (error) {
      if (!isAlthingError(error)) throw error
    }
    await sleep(world, 200)
  }
}

function randomOf(bed: TestBed) {
  return bed.simulation.random('faults')
}

testInSimulator(
  'faults of all kinds at chosen moments',
  'the dead are gone from every live set within their ttl, and nobody else is, whatever becomes of a watcher',
  async () => {
    for (let seed = 1; seed <= Number(process.env['DISCOVERY_SEEDS'] ?? 3); seed++) {
      const bed = new TestBed(seed)
      const { simulation } = bed
      const live = new Map<string, LiveSet>()
      for (const name of watchers) {
        bed.spawn(
          name,
          async (app) => void live.set(name, new Discovery(app).watch('api', { staleAfter: '2s' })),
        )
      }
      for (const id of instances) bed.spawn(id, (app) => serve(app, id))
      await simulation.runUntil(5_000)
      /** Since when the instance is dead or cut off (it may be gone), and until when it may yet be away after that. */
      const downSinceMs = new Map<string, number>()
      const excusedUntilMs = new Map<string, number>()
      const cutUntilMs = new Map<string, number>()
      const random = randomOf(bed)
      for (let atMs = 5_000; atMs < 90_000; atMs += 100) {
        await simulation.runUntil(atMs)
        for (const [name, set] of live) {
          const known = set.current.instances.map(({ id }) => id)
          const isWell = (cutUntilMs.get(name) ?? 0) + 12_000 < atMs && atMs > 6_000
          if (!isWell) continue
          for (const id of instances) {
            const downMs = downSinceMs.get(id)
            const where = `seed ${seed}, ${atMs} ms: ${id} at ${name}`
            if (downMs !== undefined && atMs - downMs > ttlMs + lateMs) expect(known, where).not.toContain(id)
            const isExcused = downMs !== undefined || atMs < (excusedUntilMs.get(id) ?? 0)
            if (!isExcused) expect(known, where).toContain(id)
          }
        }
        for (const [name, untilMs] of cutUntilMs) {
          // What a watcher that is cut off knows it keeps.
          const set = live.get(name)
          if (untilMs > atMs && set !== undefined)
            expect(set.current.instances.length, name).toBeGreaterThan(0)
        }
        if (atMs % 3_000 !== 0 || atMs > 60_000) continue
        const lengthMs = random.integer(500, 8_000)
        const id = random.pick(instances)
        const process = bed.process(id)
        const fault = random.integer(0, 3)
        if (fault === 0 && (cutUntilMs.get('v1') ?? 0) < atMs) {
          cutUntilMs.set('v1', atMs + lengthMs)
          simulation.after(lengthMs, simulation.network.isolate('v1'))
        } else if (fault === 1) {
          // The thread renews on.
          process.blockLoop(lengthMs)
        } else if (downSinceMs.get(id) === undefined && (excusedUntilMs.get(id) ?? 0) < atMs) {
          downSinceMs.set(id, atMs)
          if (fault === 2) process.crash('kill')
          else process.pause()
          simulation.after(lengthMs, () => {
            if (fault === 2) process.start()
            else process.resume()
            downSinceMs.delete(id)
            excusedUntilMs.set(id, simulation.nowMs + 15_000)
          })
        }
      }
      for (const set of live.values()) {
        expect(set.current, `seed ${seed}`).toMatchObject({
          stale: false,
          instances: instances.map((id) => ({ id })),
        })
      }
    }
  },
)

testInSimulator(
  'a check that changes its mind all the time',
  'an instance that flaps changes for the others only a few times in a window, whoever checks',
  async () => {
    for (const by of ['self', 'cluster'] as const) {
      const bed = new TestBed(7)
      let changes = 0
      let isOver = false
      bed.spawn('n1', async (app) => void new CheckDuty({ ...app, candidate: 'n1' }))
      bed.spawn('app', async (app) => {
        const { world } = app
        // Well for four seconds, ill for four.
        await answerHttp(world, 'app:80', () => ({
          status: Math.floor(world.clock.monotonicMs() / 4_000) % 2 === 0 ? 200 : 500,
          text: '',
        }))
        const discovery = new Discovery(app)
        const check = { http: 'http://app/', by, interval: '500ms', timeout: '400ms' } as const
        await discovery.register({ service: 'api', id: 'a', address: 'app:80', check })
        let before = ''
        discovery.watch('api').subscribe(({ instances: [instance] }) => {
          const now = `${instance?.health.state} ${instance?.health.flapping}`
          if (now !== before) changes++
          before = now
        })
        await sleep(world, 240_000)
        isOver = true
      })
      await bed.simulation.runUntil(() => isOver)
      // Undamped there would be sixty. Unknown, the verdicts up to the bound, and the hold.
      expect(changes, by).toBeLessThanOrEqual(9)
      expect(changes, by).toBeGreaterThan(4)
    }
  },
)

testInSimulator(
  'who checks at each moment, under faults',
  'at no moment two have the duty to check, and when faults are over one has',
  async () => {
    for (let seed = 1; seed <= Number(process.env['DISCOVERY_SEEDS'] ?? 3); seed++) {
      const bed = new TestBed(seed)
      const duties = new Map<string, CheckDuty>()
      const names = ['n1', 'n2', 'n3']
      for (const name of names) {
        bed.spawn(name, async (app) => void duties.set(name, new CheckDuty({ ...app, candidate: name })))
      }
      const random = randomOf(bed)
      for (let atMs = 100; atMs < 90_000; atMs += 50) {
        await bed.simulation.runUntil(atMs)
        const onDuty = [...duties].filter(([, duty]) => duty.isOnDuty).map(([name]) => name)
        expect(onDuty.length, `seed ${seed}, ${atMs} ms: ${onDuty.join()}`).toBeLessThanOrEqual(1)
        if (atMs % 4_000 !== 0 || atMs > 50_000) continue
        const name = random.pick(names)
        const process = bed.process(name)
        const lengthMs = random.integer(1_000, 15_000)
        const fault = random.integer(0, 4)
        if (fault === 0) process.blockLoop(lengthMs)
        else if (fault === 1) bed.simulation.after(lengthMs, bed.simulation.network.isolate(name))
        else if (fault === 2) process.clock.setRate(random.integer(96, 104) / 100)
        else if (fault === 3) {
          duties.delete(name)
          process.restart('kill')
        } else {
          process.pause()
          bed.simulation.after(lengthMs, () => process.resume())
        }
      }
      expect(
        [...duties.values()].filter((duty) => duty.isOnDuty),
        `seed ${seed}`,
      ).toHaveLength(1)
    }
  },
)

testInSimulator(
  'many processes',
  'two thousand instances of one service, a hundred of a process, are followed as they come and go, on few leases',
  async () => {
    const processes = 20
    const each = 100
    const bed = new TestBed(1)
    let live: LiveSet | undefined
    let states = 0
    let leases = 0
    bed.spawn('watcher', async (app) => {
      live = new Discovery(app).watch('api')
      live.subscribe(() => states++)
      await sleep(app.world, 20_000)
      leases = (await app.store.leases()).length
    })
    for (let p = 0; p < processes; p++) {
      bed.spawn(`p${p}`, async (app) => {
        const discovery = new Discovery(app)
        for (let i = 0; i < each; i++) {
          await discovery.register({ service: 'api', id: `${p}-${i}`, address: `p${p}:${i}`, ttl: '10s' })
        }
      })
    }
    await bed.simulation.runUntil(20_000)
    expect(live?.current.instances.length).toBe(processes * each)
    await bed.simulation.runUntil(20_100)
    expect(leases).toBe(processes)
    const before = states
    for (let p = 0; p < 5; p++) bed.process(`p${p}`).crash('kill')
    await bed.simulation.runUntil(32_000)
    expect(live?.current).toMatchObject({ stale: false })
    expect(live?.current.instances.length).toBe((processes - 5) * each)
    // A process's instances go together.
    expect(states - before).toBeLessThanOrEqual(5)
  },
)
