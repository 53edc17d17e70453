import { describe, expect, test } from 'vitest'
import { isAlthingError } from '../../contracts/errors.ts'
import { type App, type Bed, eventually, keysUnder, sleep, withBed } from '../test-bed.test-support.ts'
import { CronService } from './cron.ts'
import type { CronRun, ScheduleOptions } from './cron-types.ts'

const options: Omit<ScheduleOptions, 'run'> = { name: 'report', every: '2s', ttl: '2s' }

interface Call {
  readonly by: string
  readonly id: string
  readonly attempt: number
  readonly token: number
}

/** An instance on a machine of its own, which takes part in the schedule until the test ends it. */
function instance(
  bed: Bed,
  name: string,
  calls: Call[],
  changes: Partial<ScheduleOptions> = {},
  body: (run: CronRun, app: App) => unknown = () => undefined,
) {
  return bed.spawn(name, async (app) => {
    const cron = new CronService({ ...app, instance: name })
    await cron.schedule({
      ...options,
      ...changes,
      run: (run) => {
        calls.push({ by: name, id: run.id, attempt: run.attempt, token: run.token })
        return body(run, app)
      },
    })
  })
}

function ids(calls: readonly Call[]): string[] {
  return calls.map((call) => call.id)
}

async function untilCalls(app: App, calls: readonly Call[], count: number): Promise<void> {
  await eventually(app.world, () => expect(calls.length).toBeGreaterThanOrEqual(count))
}

describe('on several instances', () => {
  test('each occurrence is run once, in order, with growing tokens; the history tells of all', () =>
    withBed(async (app, bed) => {
      const calls: Call[] = []
      for (const name of ['a', 'b', 'c']) instance(bed, name, calls, {}, (run) => ({ sent: run.id }))
      await untilCalls(app, calls, 6)
      expect(new Set(ids(calls)).size).toBe(calls.length)
      expect(ids(calls)).toEqual(ids(calls).toSorted())
      const tokens = calls.map((call) => call.token)
      expect(tokens).toEqual(tokens.toSorted((a, b) => a - b))
      const cron = new CronService(app)
      await eventually(app.world, async () => {
        const history = await cron.history('report')
        const first = history.at(-1)
        expect(first).toMatchObject({
          ...{ id: calls[0]?.id, by: calls[0]?.by },
          outcome: 'succeeded',
          count: 1,
        })
        expect(first?.result).toBe(JSON.stringify({ sent: calls[0]?.id }))
        expect(history.length).toBeGreaterThanOrEqual(5)
      })
      await cron.close()
    }))

  test('what is registered last holds for all', () =>
    withBed(async (app, bed) => {
      const calls: Call[] = []
      instance(bed, 'old', calls, { every: '1h' })
      const cron = new CronService(app)
      await eventually(app.world, async () => expect(await cron.list()).toHaveLength(1))
      const schedule = await cron.schedule({ ...options, every: '1s', run: () => undefined })
      await schedule.stop()
      await untilCalls(app, calls, 2)
      expect(new Set(calls.map((call) => call.by))).toEqual(new Set(['old']))
      const [listed] = await cron.list()
      expect(listed?.definition.everyMs).toBe(1_000)
      await cron.close()
    }))
})

describe('a holder that dies in its run', () => {
  test('at most once: the run is told of as interrupted, and the next occurrence is run by another', () =>
    withBed(async (app, bed) => {
      const calls: Call[] = []
      const doomed = instance(bed, 'doomed', calls, {}, () => new Promise(() => {}))
      await untilCalls(app, calls, 1)
      doomed.crash()
      instance(bed, 'heir', calls)
      await untilCalls(app, calls, 2)
      const cron = new CronService(app)
      const history = await cron.history('report')
      expect(history.find((record) => record.id === calls[0]?.id)).toMatchObject({
        outcome: 'interrupted',
        by: 'doomed',
      })
      expect(calls[1]?.by).toBe('heir')
      expect(calls[1]?.id).not.toBe(calls[0]?.id)
      await cron.close()
    }))

  test('at least once: it is run again elsewhere, as the same occurrence', () =>
    withBed(async (app, bed) => {
      const calls: Call[] = []
      const changes = { delivery: 'at-least-once', every: '1h' } as const
      const doomed = instance(bed, 'doomed', calls, changes, () => new Promise(() => {}))
      const cron = new CronService(app)
      await eventually(app.world, async () => expect(await cron.list()).toHaveLength(1))
      const id = await cron.runNow('report')
      await untilCalls(app, calls, 1)
      instance(bed, 'heir', calls, changes)
      await eventually(app.world, async () =>
        expect(await keysUnder(app.store, '/althing/cron/clocks/')).toHaveLength(2),
      )
      doomed.crash()
      await untilCalls(app, calls, 2)
      expect(calls[1]).toMatchObject({ by: 'heir', id, attempt: 2 })
      await eventually(app.world, async () =>
        expect((await cron.history('report')).map(({ outcome, by }) => [outcome, by])).toEqual([
          ['succeeded', 'heir'],
          ['interrupted', 'doomed'],
        ]),
      )
      await cron.close()
    }))

  test('a run that is cut off is told before another can have it, and the store refuses what it writes', () =>
    withBed(async (app, bed) => {
      const calls: Call[] = []
      const seen: { lostMs?: number; againMs?: number; refused?: unknown } = {}
      const changes = { delivery: 'at-least-once', every: '1h' } as const
      instance(bed, 'cut', calls, changes, async (run, own) => {
        if (run.attempt > 1) return
        await new Promise((resolve) => run.lost.addEventListener('abort', resolve, { once: true }))
        seen.lostMs = app.world.clock.monotonicMs()
        await sleep(own.world, 8_000)
        seen.refused = await own.store
          .txn({ ...run.guard([{ op: 'put', key: 'ledger', value: new Uint8Array(1) }]) })
          .then((reply) => reply.succeeded)
      })
      const cron = new CronService(app)
      await eventually(app.world, async () => expect(await cron.list()).toHaveLength(1))
      await cron.runNow('report')
      await untilCalls(app, calls, 1)
      instance(bed, 'heir', calls, changes, () => {
        seen.againMs = app.world.clock.monotonicMs()
      })
      await eventually(app.world, async () =>
        expect(await keysUnder(app.store, '/althing/cron/clocks/')).toHaveLength(2),
      )
      const heal = bed.isolate('cut')
      await untilCalls(app, calls, 2)
      heal()
      expect(seen.lostMs).toBeLessThan(seen.againMs as number)
      await eventually(app.world, () => expect(seen.refused).toBe(false))
      await cron.close()
    }))
})

describe('overlap', () => {
  /** Runs of 5 s every 2 s: how many at the same time, and what the history tells of. */
  async function overlapping(app: App, bed: Bed, overlap: 'skip' | 'queue' | 'allow') {
    const calls: Call[] = []
    const running = { now: 0, most: 0 }
    instance(bed, 'worker', calls, { overlap, runsMax: 2 }, async (_, own) => {
      running.now += 1
      running.most = Math.max(running.most, running.now)
      await sleep(own.world, 5_000)
      running.now -= 1
    })
    await untilCalls(app, calls, 4)
    const cron = new CronService(app)
    const history = await cron.history('report')
    await cron.close()
    return {
      calls,
      most: running.most,
      skipped: history.filter((record) => record.outcome === 'skipped').length,
    }
  }

  test('skip: what comes during a run is not run, and the history says so', () =>
    withBed(async (app, bed) => {
      const { most, skipped, calls } = await overlapping(app, bed, 'skip')
      expect(most).toBe(1)
      expect(skipped).toBeGreaterThanOrEqual(3)
      expect(new Set(ids(calls)).size).toBe(4)
    }))

  test('queue: it waits for its turn, and past the bound it is skipped', () =>
    withBed(async (app, bed) => {
      const { most, skipped, calls } = await overlapping(app, bed, 'queue')
      expect(most).toBe(1)
      expect(skipped).toBeGreaterThanOrEqual(1)
      const [first = 0, second = 0] = ids(calls).map((id) => Date.parse(id))
      expect(second - first).toBe(2_000)
    }))

  test('allow: it runs beside, and past the bound it is skipped', () =>
    withBed(async (app, bed) => {
      const { most, skipped } = await overlapping(app, bed, 'allow')
      expect(most).toBe(2)
      expect(skipped).toBeGreaterThanOrEqual(1)
    }))
})

describe('an operator', () => {
  test('pauses, resumes and runs now; what comes in a pause is neither run nor missed', () =>
    withBed(async (app, bed) => {
      const calls: Call[] = []
      instance(bed, 'worker', calls, { missed: 'run-all' })
      await untilCalls(app, calls, 1)
      const cron = new CronService(app)
      await cron.pause('report', { by: 'ops', reason: 'maintenance' })
      await sleep(app.world, 1_000)
      const before = calls.length
      await sleep(app.world, 5_000)
      expect(calls.length).toBe(before)
      expect((await cron.list())[0]).toMatchObject({ paused: { by: 'ops', reason: 'maintenance' } })
      const id = await cron.runNow('report')
      await untilCalls(app, calls, before + 1)
      expect(calls.at(-1)?.id).toBe(id)
      await cron.resume('report')
      await untilCalls(app, calls, before + 3)
      const times = ids(calls)
        .filter((each) => each !== id)
        .map((each) => Date.parse(each))
      expect((times[before] as number) - (times[before - 1] as number)).toBeGreaterThan(4_000)
      expect((await cron.list())[0]).not.toHaveProperty('paused')
      await cron.close()
    }))

  test('removes: instances stop, and nothing is left', () =>
    withBed(async (app, bed) => {
      const calls: Call[] = []
      const worker = instance(bed, 'worker', calls)
      await untilCalls(app, calls, 1)
      const cron = new CronService(app)
      expect(await cron.remove('report')).toBe(true)
      expect(await cron.remove('report')).toBe(false)
      worker.crash()
      await eventually(app.world, async () => expect(await keysUnder(app.store, '/althing/cron')).toEqual([]))
      await expect(cron.history('report')).rejects.toMatchObject({ code: 'not-found' })
      await expect(cron.runNow('report')).rejects.toMatchObject({ code: 'not-found' })
      await cron.close()
    }))
})

describe('a run', () => {
  test('that throws is told of as failed, and not run again', () =>
    withBed(async (app, bed) => {
      const calls: Call[] = []
      instance(bed, 'worker', calls, { delivery: 'at-least-once' }, () => {
        throw new Error('no paper')
      })
      await untilCalls(app, calls, 2)
      const cron = new CronService(app)
      const history = await cron.history('report')
      expect(history.at(-1)).toMatchObject({
        outcome: 'failed',
        error: 'no paper',
        attempt: 1,
        id: calls[0]?.id,
      })
      expect(new Set(ids(calls)).size).toBe(calls.length)
      await cron.close()
    }))

  test('that is out of time is told to stop, and told of as timed out', () =>
    withBed(async (app, bed) => {
      const calls: Call[] = []
      instance(
        bed,
        'worker',
        calls,
        { timeout: '500ms' },
        (run) =>
          new Promise((_, reject) =>
            run.signal.addEventListener('abort', () => reject(run.signal.reason as Error)),
          ),
      )
      await untilCalls(app, calls, 2)
      const cron = new CronService(app)
      const [record] = (await cron.history('report')).slice(-1)
      expect(record?.outcome).toBe('timed-out')
      expect(record?.error).toContain('took longer than 500 ms')
      expect(record?.durationMs).toBeGreaterThanOrEqual(500)
      await cron.close()
    }))

  test('that does not stop loses its right ten seconds later, so that the schedule goes on', () =>
    withBed(async (app, bed) => {
      const calls: Call[] = []
      const seen: { run?: CronRun } = {}
      instance(bed, 'worker', calls, { timeout: '500ms' }, (run) => {
        seen.run ??= run
        return new Promise(() => {})
      })
      await untilCalls(app, calls, 2)
      expect(seen.run?.isHeld).toBe(false)
      await expect(seen.run?.txn({ then: [] })).rejects.toMatchObject({ code: 'stale-token' })
    }))

  test('under way when the service is closed is told to stop, and its end is recorded', () =>
    withBed(async (app) => {
      const cron = new CronService(app)
      const started: CronRun[] = []
      await cron.schedule({
        ...options,
        run: (run) => {
          started.push(run)
          return new Promise((resolve) =>
            run.signal.addEventListener('abort', () => resolve('half'), { once: true }),
          )
        },
      })
      await eventually(app.world, () => expect(started).toHaveLength(1))
      await cron.close()
      expect(isAlthingError(started[0]?.signal.reason, 'closed')).toBe(true)
      await expect(cron.schedule({ ...options, run: () => undefined })).rejects.toMatchObject({
        code: 'closed',
      })
      const other = new CronService(app)
      expect(await other.history('report')).toMatchObject([{ outcome: 'succeeded', result: '"half"' }])
      expect(await keysUnder(app.store, '/althing/cron/runs/')).toEqual([])
      expect(await keysUnder(app.store, '/althing/cron/clocks/')).toEqual([])
      await other.close()
    }))
})

test('a schedule that makes no sense is refused at once, and nothing is written', () =>
  withBed(async (app) => {
    const cron = new CronService(app)
    const run = () => undefined
    const wrong: [Partial<ScheduleOptions>, string][] = [
      [{ name: '' }, 'name'],
      [{ every: undefined, schedule: '61 * * * *' }, 'schedule'],
      [{ every: undefined }, 'schedule'],
      [{ schedule: '0 3 * * *' }, 'every'],
      [{ every: undefined, schedule: '0 3 * * *', timeZone: 'Mars/Base' }, 'timeZone'],
      [{ timeZone: 'UTC' }, 'timeZone'],
      [{ every: '10ms' }, 'every'],
      [{ missed: 'run-twice' as 'skip' }, 'missed'],
      [{ overlap: 'perhaps' as 'skip' }, 'overlap'],
      [{ delivery: 'exactly-once' as 'at-most-once' }, 'delivery'],
      [{ runsMax: 0 }, 'runsMax'],
      [{ historyMax: 5_000 }, 'historyMax'],
      [{ ttl: '1ms' }, 'ttl'],
      [{ run: undefined as unknown as () => void }, 'run'],
    ]
    for (const [change, field] of wrong) {
      const schedule = { ...options, run, ...change } as ScheduleOptions
      await expect(cron.schedule(schedule), field).rejects.toMatchObject({
        code: 'invalid-argument',
        details: { field },
      })
    }
    expect(await keysUnder(app.store, '/althing/cron')).toEqual([])
    await cron.schedule({ ...options, run })
    await expect(cron.schedule({ ...options, run })).rejects.toMatchObject({ code: 'conflict' })
    await cron.close()
  }))

test('the history is bounded', () =>
  withBed(async (app, bed) => {
    const calls: Call[] = []
    instance(bed, 'worker', calls, { every: '1s', historyMax: 3 })
    await untilCalls(app, calls, 6)
    const cron = new CronService(app)
    await eventually(app.world, async () => {
      const history = await cron.history('report')
      expect(history).toHaveLength(3)
      expect(history[0]?.id).toBe(calls.at(-1)?.id)
    })
    expect(await cron.history('report', { limit: 2 })).toHaveLength(2)
    expect((await keysUnder(app.store, '/althing/cron-history/')).length).toBe(3)
    await cron.close()
  }))
