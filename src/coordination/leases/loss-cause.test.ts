import { describe, expect, test } from 'vitest'
import { IdService } from '../../ids/id-service.ts'
import { CronService } from '../cron/cron.ts'
import { Discovery } from '../discovery/discovery.ts'
import { ElectionService } from '../election/election.ts'
import { LockService } from '../locks/lock.ts'
import { aborted, type App, sleep, TestBed, testInSimulator } from '../test-bed.test-support.ts'
import { LeaseKeeper } from './lease-keeper.ts'
import { type LapseCircumstances, lapseError } from './loss-cause.ts'

const ttl = '3s'
const maxStallMs = 5_000

type Parts = App & { readonly keeper: LeaseKeeper }

/** Takes one right of each kind; what is told of its loss. */
const kinds: Readonly<Record<string, (parts: Parts) => Promise<AbortSignal>>> = {
  lock: async (parts) => (await new LockService(parts).acquire('a', { ttl })).lost,
  leadership: async (parts) => (await new ElectionService(parts).campaign('a', { ttl })).lost,
  registration: async (parts) => {
    const entry = { service: 'a', address: 'a:1', ttl, reregister: false }
    return (await new Discovery(parts).register(entry)).lost
  },
  'cron run': (parts) =>
    new Promise((resolve, reject) => {
      const schedule = {
        name: 'a',
        every: '1s',
        ttl,
        run: async (run: { readonly lost: AbortSignal }): Promise<never> => {
          resolve(run.lost)
          return await new Promise(() => {})
        },
      }
      new CronService(parts).schedule(schedule).catch(reject)
    }),
  'worker id': async (parts) => {
    const generator = await new IdService(parts).snowflake('a', { ttl })
    return (generator.hold as { readonly lost: AbortSignal }).lost
  },
}

/** What happens to the holder, and what it is to be told. */
const causes: Readonly<Record<string, (bed: TestBed, parts: Parts) => unknown>> = {
  'process-stopped': (bed) => {
    bed.process('holder').pause()
    bed.simulation.after(10_000, () => bed.process('holder').resume())
  },
  'event-loop-blocked': (bed) => bed.process('holder').blockLoop(maxStallMs + 6_000),
  'store-unreachable': (bed) => bed.isolate('holder'),
  'lease-revoked': async (_bed, { store }) => {
    for (const { lease } of await store.leases()) await store.revokeLease(lease)
  },
  closed: (_bed, { keeper }) => keeper.close(),
}

const cases = Object.keys(kinds).flatMap((kind) => Object.keys(causes).map((cause) => [kind, cause] as const))

async function lossOf(kind: string, cause: string): Promise<unknown> {
  const bed = new TestBed(1)
  let reason: unknown
  bed.spawn('holder', async (app) => {
    const keeper = new LeaseKeeper(app.store, app.world, { maxStall: maxStallMs })
    const parts = { ...app, keeper }
    const lost = await (kinds[kind] as (typeof kinds)[string])(parts)
    app.world.timers.after(2_000, () => void (causes[cause] as (typeof causes)[string])(bed, parts))
    reason = await aborted(lost)
    await sleep(app.world, 60_000)
  })
  await bed.simulation.runUntil(() => reason !== undefined, { limitMs: 60_000 })
  return reason
}

describe('the loss of a right names its cause', () => {
  for (const [kind, cause] of cases)
    testInSimulator('faults at chosen moments', `${kind}: ${cause}`, async () => {
      const reason = await lossOf(kind, cause)
      // Whether the key or the lease was seen to go first is chance.
      const told = cause === 'lease-revoked' ? /^(lease-revoked|removed)$/ : new RegExp(`^${cause}$`)
      expect(reason).toMatchObject({ code: 'lost', outcome: 'none' })
      expect((reason as { details: { cause: string } }).details.cause).toMatch(told)
    })
})

describe('a lapse', () => {
  const ttlMs = 1_600
  const lapse: LapseCircumstances = {
    nowMs: 100_000,
    sentMs: 98_560,
    ttlMs,
    stall: undefined,
    thread: { aliveMs: 99_900, stall: { lengthMs: 0, endMs: 0 } },
    maxStallMs: 30_000,
    lastFailure: undefined,
  }
  const stallOf = (lengthMs: number): LapseCircumstances['stall'] => ({ lengthMs, endMs: lapse.nowMs })

  test.each([
    // Seed 1054 of the simulation of locks: the thread shows that it lives only every 250 ms.
    [
      'a stall that leaves time for another renewal',
      { stall: stallOf(356), thread: { ...lapse.thread, aliveMs: 99_800 } },
      'store-unreachable',
    ],
    ['a long stall while the thread ran', { stall: stallOf(1_400) }, 'store-unreachable'],
    [
      'a long stall of both',
      { stall: stallOf(1_400), thread: { ...lapse.thread, aliveMs: 98_700 } },
      'process-stopped',
    ],
    ['a hung loop', { stall: stallOf(31_000) }, 'event-loop-blocked'],
    [
      'a short stall of the loop that renews',
      { stall: stallOf(356), thread: undefined },
      'store-unreachable',
    ],
    ['a stall of the loop that renews', { stall: stallOf(1_400), thread: undefined }, 'event-loop-blocked'],
    ['no stall', {}, 'store-unreachable'],
  ])('after %s', (_what, circumstances, cause) => {
    const error = lapseError({ ...lapse, ...circumstances } as LapseCircumstances)
    expect(error).toMatchObject({ code: 'lost', outcome: 'none', details: { cause } })
  })
})
