import { describe, expect, test } from 'vitest'
import type { HttpProbeReply, World } from '../../contracts/world.ts'
import { answerHttp } from '../../testing/world/probe-port.ts'
import { type App, eventually, simulate, sleep, testInSimulator, withBed } from '../test-bed.test-support.ts'
import { CheckDuty } from './check-duty.ts'
import type { ActiveCheck, HealthCheck } from './check-types.ts'
import { Discovery } from './discovery.ts'
import type { LiveSet } from './discovery-types.ts'

const fast = { interval: '1s', timeout: '500ms' } as const

/** A machine that answers health checks with what `status` says when it is asked. */
function serveHealth(
  world: World,
  address: string,
  status: () => HttpProbeReply['status'],
): Promise<unknown> {
  return answerHttp(world, address, () => ({ status: status(), text: '' }))
}

const stateOf = (live: LiveSet, id: string): string | undefined =>
  live.current.instances.find((instance) => instance.id === id)?.health.state

describe('a check of another kind than a function', () => {
  test('is refused with the name of the field when it cannot be meant', async () => {
    await withBed(async ({ store, world, accept }) => {
      const discovery = new Discovery({ store, world, accept })
      const wrong: [unknown, string][] = [
        [{}, 'check'],
        [{ http: 'http://a/', tcp: 'a:1' }, 'check'],
        [{ http: 'ftp://a/' }, 'check.http'],
        [{ http: 'http://user:secret@a/' }, 'check.http'],
        [{ http: 'http://a/', expectStatus: 99 }, 'check.expectStatus'],
        [{ http: 'http://a/', expectStatus: [300, 200] }, 'check.expectStatus'],
        [{ tcp: 'nowhere' }, 'check.tcp'],
        [{ script: 'true' }, 'check.script'],
        [{ script: [] }, 'check.script'],
        [{ tcp: 'a:1', by: 'nobody' }, 'check.by'],
        [{ tcp: 'a:1', removeAfter: '1s' }, 'check.removeAfter'],
        [{ tcp: 'a:1', interval: 0 }, 'check.interval'],
        [{ tcp: 'a:1', unhealthyAfter: 0 }, 'check.unhealthyAfter'],
      ]
      for (const [check, field] of wrong) {
        const registering = discovery.register({
          service: 'api',
          address: 'a:1',
          check: check as HealthCheck,
        })
        await expect(registering, JSON.stringify(check)).rejects.toMatchObject({
          code: 'invalid-argument',
          details: { field },
        })
      }
      const secret = discovery.register({
        service: 'api',
        address: 'a:1',
        check: { http: 'http://u:secret@a/' },
      })
      await expect(secret).rejects.not.toThrow('secret')
      expect(await discovery.instances('api')).toEqual([])
    })
  })
})

testInSimulator(
  'answers of simulated machines',
  'HTTP, TCP and programs decide on health, each with its notes',
  async () => {
    await simulate(async (app, bed) => {
      const { store, world } = app
      let status = 200
      bed.simulation.process('web', async (web) => {
        await serveHealth(web, 'web:80', () => status)
      })
      await sleep(world, 100)
      const checks: Record<string, ActiveCheck> = {
        http: { http: 'http://web/healthz', ...fast },
        teapot: { http: 'http://web/healthz', expectStatus: 418, ...fast },
        tcp: { tcp: 'web:80', ...fast },
        closed: { tcp: 'web:81', ...fast },
        missing: { script: ['check', '-v'], ...fast },
      }
      const discovery = new Discovery({ store, world })
      const live = discovery.watch('api')
      for (const [id, check] of Object.entries(checks)) {
        await discovery.register({ service: 'api', id, address: 'web:80', check })
      }
      const states = (): unknown =>
        Object.fromEntries(live.current.instances.map(({ id, health }) => [id, health.state]))
      await eventually(world, () =>
        expect(states()).toEqual({
          http: 'healthy',
          teapot: 'unhealthy',
          tcp: 'healthy',
          closed: 'unhealthy',
          missing: 'unhealthy',
        }),
      )
      const [, http] = live.current.instances
      expect(http).toMatchObject({
        id: 'http',
        check: {
          kind: 'http',
          target: 'http://web/healthz',
          expectStatus: [200, 299],
          by: 'self',
          intervalMs: 1_000,
        },
      })
      expect(http?.health.results.map(({ note }) => note)).toEqual(['status 200', 'status 200'])
      status = 500
      const fromMs = world.clock.monotonicMs()
      await eventually(world, () => expect(stateOf(live, 'http')).toBe('unhealthy'))
      expect(world.clock.monotonicMs() - fromMs).toBeGreaterThan(1_500)
      expect(live.current.instances[1]?.health.results.map(({ note }) => note).slice(0, 4)).toEqual([
        'status 500',
        'status 500',
        'status 500',
        'status 200',
      ])
    })
  },
)

describe('checks by the cluster', () => {
  const byCluster: ActiveCheck = { http: 'http://web/healthz', by: 'cluster', ...fast }
  const duty = (app: App, candidate: string): CheckDuty => new CheckDuty({ ...app, candidate })

  testInSimulator(
    'a process that hangs',
    'find out a process whose loop is blocked, while its registration lives on',
    async () => {
      await simulate(async ({ store, world }, bed) => {
        bed.spawn('checker', async (app) => void duty(app, 'checker'))
        const web = bed.spawn('web', async (app) => {
          await serveHealth(app.world, 'web:80', () => 200)
          const discovery = new Discovery(app)
          const registration = await discovery.register({
            service: 'api',
            id: 'web',
            address: 'web:80',
            ttl: '3s',
            check: byCluster,
          })
          await registration.update({ weight: 5 })
          await sleep(app.world, 6_000)
          await registration.update({ weight: 7 })
        })
        const live = new Discovery({ store, world }).watch('api')
        await eventually(world, () => expect(live.current.instances[0]?.weight).toBe(7))
        expect(stateOf(live, 'web')).toBe('healthy')
        web.blockLoop(12_000)
        await eventually(world, () => expect(stateOf(live, 'web')).toBe('unhealthy'))
        await sleep(world, 5_000)
        expect(live.current.instances).toMatchObject([
          { id: 'web', weight: 7, health: { state: 'unhealthy' } },
        ])
        await eventually(world, () => expect(stateOf(live, 'web')).toBe('healthy'))
        expect(live.current.instances[0]?.weight).toBe(7)
      })
    },
  )

  testInSimulator(
    'who checked when',
    'are run by one at a time, and by the next within the term of the duty',
    async () => {
      await simulate(async ({ store, world }, bed) => {
        let asked = 0
        bed.simulation.process('web', async (web) => {
          await serveHealth(web, 'web:80', () => {
            asked++
            return 200
          })
        })
        const duties = new Map<string, CheckDuty>()
        for (const name of ['n1', 'n2', 'n3']) {
          bed.spawn(name, async (app) => void duties.set(name, duty(app, name)))
        }
        const discovery = new Discovery({ store, world })
        await discovery.register({ service: 'api', id: 'web', address: 'web:80', check: byCluster })
        const live = discovery.watch('api')
        await eventually(world, () => expect(stateOf(live, 'web')).toBe('healthy'))
        const onDuty = (): string[] => [...duties].flatMap(([name, each]) => (each.isOnDuty ? [name] : []))
        asked = 0
        await sleep(world, 20_000)
        expect(asked).toBeGreaterThanOrEqual(18)
        expect(asked).toBeLessThanOrEqual(21)
        const [holder] = onDuty()
        expect(onDuty()).toHaveLength(1)
        // It still reaches the instance, but may not speak of it any more.
        bed.simulation.network.partition([holder as string], ['node'])
        await sleep(world, 12_000)
        expect(onDuty()).toHaveLength(1)
        asked = 0
        await sleep(world, 10_000)
        expect(asked).toBeGreaterThanOrEqual(8)
        expect(asked).toBeLessThanOrEqual(11)
        expect(stateOf(live, 'web')).toBe('healthy')
      })
    },
  )

  testInSimulator(
    'programs of simulated machines',
    'run no program where the operator has not allowed it',
    async () => {
      for (const allowScripts of [false, true]) {
        await simulate(async ({ store, world }, bed) => {
          let runs = 0
          bed.simulation.process(
            'checker',
            async (checking) => {
              const { openClusterStore } = await import('../../engines/cluster/cluster-store.ts')
              const own = openClusterStore(checking, { endpoints: ['node:7400'] })
              void new CheckDuty({ store: own, world: checking, candidate: 'c', allowScripts })
            },
            {
              commands: () => {
                runs++
                return { exitCode: 0, output: 'fine' }
              },
            },
          )
          const discovery = new Discovery({ store, world })
          const check: ActiveCheck = { script: ['check'], by: 'cluster', ...fast }
          await discovery.register({ service: 'api', id: 'a', address: 'a:1', check })
          const live = discovery.watch('api')
          await eventually(world, () =>
            expect(stateOf(live, 'a')).toBe(allowScripts ? 'healthy' : 'unhealthy'),
          )
          const note = live.current.instances[0]?.health.results[0]?.note
          expect(note).toBe(
            allowScripts ? 'exit 0: fine' : 'script checks are not enabled on the node that checks',
          )
          expect(runs > 0).toBe(allowScripts)
        })
      }
    },
  )

  testInSimulator(
    'a machine that goes away',
    'remove an instance that was unhealthy for as long as it said',
    async () => {
      await simulate(async ({ store, world }, bed) => {
        bed.spawn('checker', async (app) => void duty(app, 'checker'))
        const discovery = new Discovery({ store, world })
        const live = discovery.watch('api')
        const check: ActiveCheck = { tcp: 'nowhere:1', by: 'cluster', removeAfter: '5s', ...fast }
        const registration = await discovery.register({
          service: 'api',
          id: 'a',
          address: 'a:1',
          check,
          reregister: false,
        })
        await eventually(world, () => expect(stateOf(live, 'a')).toBe('unhealthy'))
        await sleep(world, 3_000)
        expect(stateOf(live, 'a')).toBe('unhealthy')
        await eventually(world, () => expect(live.current.instances).toEqual([]))
        await eventually(world, () => expect(registration.lost.aborted).toBe(true))
      })
    },
  )
})
