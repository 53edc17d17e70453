import { expect } from 'vitest'
import { isAlthingError } from '../contracts/errors.ts'
import {
  blocked,
  cutOff,
  drifting,
  injectFault,
  killed,
  powerLost,
  type ProcessFault,
  stopped,
} from '../coordination/fault-game.test-support.ts'
import { type App, sleep, TestBed, testInSimulator } from '../coordination/test-bed.test-support.ts'
import { checkUniqueIds } from '../testing/checkers/unique-ids.ts'
import type { Operation } from '../testing/history/operation.ts'
import { IdService } from './id-service.ts'

const workers = ['w1', 'w2', 'w3', 'w4', 'w5', 'w6']
/** Fewer than workers, so that they are passed on, and run out. */
const layout = { workerBits: 2, sequenceBits: 6 }

/** Everything that was given, in the order in which it was. */
class Given {
  readonly operations: Operation[] = []
  readonly #last = new Map<string, bigint>()
  readonly disorder: string[] = []

  note(kind: string, generator: string, atMs: number, id: bigint): void {
    this.operations.push({
      index: this.operations.length,
      process: generator,
      op: 'generate',
      key: undefined,
      input: undefined,
      output: `${kind} ${id}`,
      outcome: 'ok',
      calledAt: atMs,
      returnedAt: atMs,
    })
    const order = `${kind} ${generator}`
    const last = this.#last.get(order) ?? -1n
    if (id <= last) this.disorder.push(`${order}: ${id} after ${last}`)
    this.#last.set(order, id)
  }
}

/** Generates in bursts, with a generator that is opened anew after each crash, and now and then by itself. */
async function generate(bed: TestBed, name: string, { store, world }: App, given: Given): Promise<void> {
  const service = new IdService({ store, world })
  const policies = ['wait', 'borrow', 'throw'] as const
  const segment = service.segment('tag', { step: 5, stepMax: 40 })
  for (;;) {
    try {
      const onClockBack = policies[world.random.integer(0, 2)] ?? 'wait'
      const ids = await service.snowflake('orders', {
        layout,
        ttl: '2s',
        reserve: '400ms',
        onClockBack,
        spinMax: 0,
      })
      const order = `${name}/${world.random.integer(0, 1e12)}`
      for (let burst = world.random.integer(5, 60); burst > 0; burst--) {
        try {
          const first = await ids.nextAsync({ timeout: '3s' })
          given.note('snowflake', order, bed.simulation.nowMs, first)
          for (let i = world.random.integer(0, 70); i > 0; i--)
            given.note('snowflake', order, bed.simulation.nowMs, ids.next())
        } catch (error) {
          if (!isAlthingError(error)) throw error
          if (!error.retryable) break
        }
        given.note('segment', order, bed.simulation.nowMs, await segment.nextAsync({ timeout: '3s' }))
        await sleep(world, world.random.integer(1, 100))
      }
      if (world.random.float() < 0.5) await ids.close()
      else void ids.close()
    } catch (error) {
      if (!isAlthingError(error)) throw error
      await sleep(world, 100)
    }
  }
}

const stepped: ProcessFault = ({ process, random }) => process.clock.stepWall(random.integer(-3_000, 3_000))
const hoursOff: ProcessFault = ({ bed, process, lengthMs, random }) => {
  const stepMs = random.integer(-3, 3) * 3_600_000
  process.clock.stepWall(stepMs)
  bed.simulation.after(lengthMs, () => process.clock.stepWall(-stepMs))
}
const passing = [stopped, blocked, cutOff, drifting(4), stepped, hoursOff]

async function hunt(seed: number, restartsMin: number): Promise<{ readonly given: Given }> {
  const bed = new TestBed(seed)
  const given = new Given()
  for (const name of workers) bed.spawn(name, (app) => generate(bed, name, app, given))
  const random = bed.simulation.random('faults')
  const lengthMs = { min: 50, max: 5_000 }
  let atMs = 2_000
  for (let restarts = 0; restarts < restartsMin; atMs += random.integer(20, 400)) {
    await bed.simulation.runUntil(atMs)
    const isRestart = random.float() < 0.55
    if (isRestart) restarts++
    const faults = isRestart ? [killed, powerLost] : passing
    injectFault(bed, random, { names: workers, lengthMs, faults })
  }
  return { given }
}

/** More by hand: IDS_SEEDS=50 IDS_FIRST_SEED=100. */
const seeds = Number(process.env['IDS_SEEDS'] ?? 1)
const firstSeed = Number(process.env['IDS_FIRST_SEED'] ?? 1)

for (const half of [0, 1]) {
  testInSimulator(
    'faults of all kinds at chosen moments, and steps of the clock',
    `no id is given twice over 500 crashes with restart, with stops, stalls, partitions, drift, and steps of the clock of hours; ids of a generator grow (${half + 1} of 2)`,
    async () => {
      for (let seed = firstSeed + half; seed < firstSeed + 2 * seeds; seed += 2) {
        const { given } = await hunt(seed, 500)
        const { findings, generated } = checkUniqueIds(given.operations)
        expect(findings, `seed ${seed}`).toEqual([])
        expect(given.disorder, `seed ${seed}`).toEqual([])
        expect(generated, `seed ${seed}`).toBeGreaterThan(10_000)
        if (seeds > 1) console.log(`seed ${seed}: ${generated} ids`)
      }
    },
  )
}
