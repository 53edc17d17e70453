import { z } from 'zod'
import { CronOffice } from '../../../coordination/cron/cron-office.ts'
import type { Clock } from '../../../contracts/world.ts'
import * as answers from '../cron-answers.ts'
import { wholeField } from '../fields.ts'
import { callOptions, type HttpContext } from '../http-context.ts'
import { jsonRoute, plainRoute, type Route } from '../route.ts'

const nameParam = z.object({ name: z.string().min(1).max(256).describe('URL-encoded') })
const recordsMax = 1_000
const audited = { isAudited: true, tag: 'coordination', params: nameParam } as const

/** Schedules that are run once for all instances: what is due, what runs, and what an operator can do about it. */
export function cronRoutes(http: HttpContext): Route[] {
  const office = new CronOffice(http.store, http.world)
  return [...readRoutes(office), ...orderRoutes(office, http.world.clock)]
}

function readRoutes(office: CronOffice): Route[] {
  return [
    plainRoute({
      method: 'get',
      path: '/api/v1/cron',
      id: 'listSchedules',
      tag: 'coordination',
      summary: 'Every schedule: when it is due next, what runs, what waits',
      answer: { json: z.array(answers.cronSchedule) },
      handle: ({ signal }) => office.list(callOptions(signal)),
    }),
    plainRoute({
      method: 'get',
      path: '/api/v1/cron/{name}/history',
      id: 'scheduleHistory',
      tag: 'coordination',
      summary: 'The last runs of a schedule and how they ended, newest first',
      params: nameParam,
      query: z.object({
        limit: wholeField.pipe(z.number().min(1).max(recordsMax)).optional().describe('default 20'),
      }),
      answer: { json: z.array(answers.cronRecord) },
      handle: ({ params, query, signal }) =>
        office.history(params.name, { ...callOptions(signal), limit: query.limit ?? 20 }),
    }),
  ]
}

function orderRoutes(office: CronOffice, clock: Clock): Route[] {
  return [
    jsonRoute({
      ...audited,
      method: 'post',
      path: '/api/v1/cron/{name}/pause',
      id: 'pauseSchedule',
      summary: 'Starts nothing more of a schedule until it is resumed; runs under way go on',
      body: {
        json: z.strictObject({
          by: z.string().min(1).max(256).describe('who does it'),
          reason: z.string().min(1).max(512).optional(),
        }),
        bytesMax: 8_192,
      },
      answer: { json: answers.paused },
      handle: async ({ params, body: { by, reason } }) => {
        await office.pause(params.name, { by, reason })
        return { name: params.name, paused: true }
      },
    }),
    plainRoute({
      ...audited,
      method: 'post',
      path: '/api/v1/cron/{name}/resume',
      id: 'resumeSchedule',
      summary: 'Goes on with the first occurrence after this moment',
      answer: { json: answers.paused },
      handle: async ({ params }) => {
        await office.resume(params.name, clock.wallMs())
        return { name: params.name, paused: false }
      },
    }),
    plainRoute({
      ...audited,
      method: 'post',
      path: '/api/v1/cron/{name}/run',
      id: 'runSchedule',
      summary: 'One run as soon as those that wait have run, on whichever instance takes it; also in a pause',
      answer: { json: z.object({ name: z.string(), id: z.string().describe('of the run, in the history') }) },
      handle: async ({ params }) => ({
        name: params.name,
        id: await office.runNow(params.name, clock.wallMs()),
      }),
    }),
    plainRoute({
      ...audited,
      method: 'delete',
      path: '/api/v1/cron/{name}',
      id: 'removeSchedule',
      summary: 'Takes a schedule out of the store with its history; instances that take part in it stop',
      answer: { json: z.object({ name: z.string(), removed: z.boolean() }) },
      handle: async ({ params }) => ({ name: params.name, removed: await office.remove(params.name) }),
    }),
  ]
}
