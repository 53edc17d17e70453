import { expect } from 'vitest'
import { isAlthingError } from '../contracts/errors.ts'
import { type App, sleep, TestBed, testInSimulator } from '../coordination/test-bed.test-support.ts'
import { checkUniqueIds } from '../testing/checkers/unique-ids.ts'
import type { Operation } from '../testing/history/operation.ts'
import type { SeededRandom } from '../testing/world/seeded-random.ts'
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

interface Faults {
  restarts: number
}

/** One of the faults that ids have to live with, for one of the workers. */
function injectFault(bed: TestBed, random: SeededRandom, faults: Faults): void {
  const name = workers[random.integer(0, workers.length - 1)] as string
  const process = bed.process(name)
  const lengthMs = random.integer(50, 5_000)
  const hours = random.integer(-3, 3) * 3_600_000
  switch (random.integer(0, 13)) {
    case 0:
      process.pause()
      bed.simulation.after(lengthMs, () => process.resume())
      return
    case 1:
      process.blockLoop(lengthMs)
      return
    case 2:
      bed.simulation.after(lengthMs, bed.simulation.network.isolate(name))
      return
    case 3:
      process.clock.setRate(random.integer(96, 104) / 100)
      return
    case 4:
      process.clock.stepWall(random.integer(-3_000, 3_000))
      return
    case 5:
      process.clock.stepWall(hours)
      bed.simulation.after(lengthMs, () => process.clock.stepWall(-hours))
      return
    default:
      faults.restarts++
      process.restart(random.integer(0, 1) === 0 ? 'kill' : 'power')
  }
}

async function hunt(seed: number, restartsMin: number): Promise<{ readonly given: Given }> {
  const bed = new TestBed(seed)
  const given = new Given()
  for (const name of workers) bed.spawn(name, (app) => generate(bed, name, app, given))
  const random = bed.simulation.random('faults')
  const faults: Faults = { restarts: 0 }
  for (let atMs = 2_000; faults.restarts < restartsMin; atMs += random.integer(20, 400)) {
    await bed.simulation.runUntil(atMs)
    injectFault(bed, random, faults)
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
