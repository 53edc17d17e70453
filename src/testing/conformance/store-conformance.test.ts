import { describe, expect, test } from 'vitest'
import { mistakes, withMembers } from './broken-stores.test-support.ts'
import { type ConformanceReport, runConformance } from './run-conformance.ts'
import { localCapabilities, simulate, simulatedBed } from './simulated-bed.test-support.ts'
import { storeConformance } from './store-conformance.ts'

const abilities = ['bulk-renewal'] as const
const cases = storeConformance({ capabilities: localCapabilities, abilities })

const failures = ({ failed }: ConformanceReport): string[] =>
  failed.map((result) => `${result.case.area}: ${result.case.name}: ${result.error}`)

describe('the conformance suite', () => {
  test('passes on the embedded engine in the simulator, whose time is not the machine\u2019s', async () => {
    const report = await simulate((world) =>
      runConformance(
        cases,
        simulatedBed(world, (store) => store),
      ),
    )
    expect(failures(report)).toEqual([])
    expect(report.passed.length + report.absent.length).toBe(cases.length)
  }, 120_000)

  test.each(mistakes)(
    'finds a store that $name',
    async ({ area, make }) => {
      const ofArea = cases.filter((each) => each.area === area || each.area === 'declarations')
      const report = await simulate((world) =>
        runConformance(
          ofArea,
          simulatedBed(world, (store) => withMembers(store, make(store, world))),
        ),
      )
      expect(failures(report)).not.toEqual([])
      expect(
        report.passed.length,
        'it finds the mistake, and not a store that does nothing right',
      ).toBeGreaterThan(0)
    },
    120_000,
  )

  test('names each case once, and says of each that does not apply why', () => {
    const names = cases.map(({ area, name }) => `${area}: ${name}`)
    expect(new Set(names).size).toBe(names.length)
    const weak = storeConformance({
      capabilities: {
        ...localCapabilities,
        linearizable: false,
        timeAuthority: 'client',
        watchResume: false,
        watchProgressMsMin: 60_000,
      },
    })
    expect(weak.map(({ name }) => name)).toEqual(cases.map(({ name }) => name))
    const absent = weak.filter(({ absence }) => absence !== undefined)
    const reasons = new Set(absent.map(({ absence }) => absence))
    expect([...reasons].toSorted()).toEqual([
      "the engine does not claim 'durable'",
      "the engine does not claim 'linearizable'",
      "the engine does not claim 'server-time'",
      "the engine does not claim 'watch-progress'",
      "the engine does not claim 'watch-resume'",
      'the engine, as it is set up here, cannot be restarted on the same data',
      'the engine, as it is set up here, has no connections to cut',
      'the engine, as it is set up here, has no keepLeasesAlive',
      'the engine, as it is set up here, has no second member to take over',
      'the engine, as it is set up here, has one client at a time',
    ])
  })

  test('finds a store that claims other capabilities than it was said to', async () => {
    const others = storeConformance({
      capabilities: { ...localCapabilities, leaseExpiryResolutionMs: 1 },
      abilities,
    }).slice(0, 1)
    const report = await simulate((world) =>
      runConformance(
        others,
        simulatedBed(world, (store) => store),
      ),
    )
    expect(failures(report)).toHaveLength(1)
  })
})
