import { afterAll, beforeAll, expect, test } from 'vitest'
import { createDeferred } from '../../base/deferred.ts'
import { CronService } from '../../coordination/cron/cron.ts'
import { openClusterStore } from '../../engines/cluster/cluster-store.ts'
import { NodeLogger } from '../../world/logger.ts'
import { createNodeWorld } from '../../world/node-world.ts'
import { errorAnswer } from './answers.ts'
import { cronRecord, cronSchedule } from './cron-answers.ts'
import { type HttpTestBed, openHttpTestBed } from './http-test-bed.test-support.ts'

let bed: HttpTestBed
beforeAll(async () => {
  bed = await openHttpTestBed()
})
afterAll(() => bed[Symbol.asyncDispose]())

const path = `/api/v1/cron/${encodeURIComponent('jobs/report')}`

async function refusal(url: string, init: RequestInit = {}): Promise<unknown> {
  const reply = await bed.fetch(url, init)
  const { code, outcome } = errorAnswer.parse(await reply.json()).error
  return { status: reply.status, code, outcome }
}

async function list(): Promise<unknown[]> {
  return cronSchedule.array().parse(await bed.json('/api/v1/cron'))
}

test('a schedule shows what is due and what runs, is paused, resumed, run now and removed', async () => {
  const world = createNodeWorld({ dataFolder: bed.folder, logger: new NodeLogger('error') })
  const store = openClusterStore(world, { endpoints: [bed.server.node.address] })
  const cron = new CronService({ store, world, instance: 'worker-1' })
  const started = createDeferred<void>()
  const mayEnd = createDeferred<void>()
  await cron.schedule({
    name: 'jobs/report',
    schedule: '0 3 1 1 *',
    run: async () => {
      started.resolve()
      await mayEnd.promise
      return { sent: 3 }
    },
  })
  expect(await list()).toMatchObject([
    { name: 'jobs/report', definition: { schedule: '0 3 1 1 *', timeZone: 'UTC' }, running: [], waiting: [] },
  ])
  expect((await list())[0]).toHaveProperty('nextMs')

  const pause = (body: unknown): RequestInit => ({ method: 'POST', body: JSON.stringify(body) })
  expect(await refusal(`${path}/pause`, pause({}))).toMatchObject({ status: 400, outcome: 'none' })
  expect(await bed.json(`${path}/pause`, pause({ by: 'ann', reason: 'audit' }))).toEqual({
    name: 'jobs/report',
    paused: true,
  })
  expect((await list())[0]).toMatchObject({ paused: { by: 'ann', reason: 'audit' } })
  expect((await list())[0]).not.toHaveProperty('nextMs')
  expect(await bed.json(`${path}/resume`, { method: 'POST' })).toEqual({ name: 'jobs/report', paused: false })
  expect((await list())[0]).not.toHaveProperty('paused')

  const { id } = (await bed.json(`${path}/run`, { method: 'POST' })) as { id: string }
  await started.promise
  expect((await list())[0]).toMatchObject({ running: [{ id, by: 'worker-1', kind: 'manual' }] })
  expect(await bed.json(`${path}/history`)).toEqual([])
  mayEnd.resolve()
  await cron.drain()
  const records = cronRecord.array().parse(await bed.json(`${path}/history?limit=1`))
  expect(records).toMatchObject([{ id, outcome: 'succeeded', by: 'worker-1', result: '{"sent":3}' }])
  expect(await refusal(`${path}/history?limit=0`)).toMatchObject({ status: 400 })

  expect(await bed.json(path, { method: 'DELETE' })).toEqual({ name: 'jobs/report', removed: true })
  expect(await bed.json(path, { method: 'DELETE' })).toEqual({ name: 'jobs/report', removed: false })
  expect(await list()).toEqual([])
  await cron.close()
  await store.close()
})

test('an order for a schedule that is not there is refused, and nothing is made of it', async () => {
  const none = { status: 404, code: 'not-found', outcome: 'none' }
  for (const order of ['resume', 'run'])
    expect(await refusal(`/api/v1/cron/none/${order}`, { method: 'POST' })).toEqual(none)
  const body = JSON.stringify({ by: 'ann' })
  expect(await refusal('/api/v1/cron/none/pause', { method: 'POST', body })).toEqual(none)
  expect(await refusal('/api/v1/cron/none/history')).toMatchObject({ status: 404, code: 'not-found' })
  expect(await list()).toEqual([])
})
