import type { Command } from 'commander'
import { CronService } from '../coordination/cron/cron.ts'
import { guarantees } from '../coordination/guarantees.ts'
import { formatHistory, formatSchedules } from './format-cron.ts'
import { print } from './output.ts'
import { type TargetOptions, withStore, withTargetOptions } from './target.ts'

interface HistoryOptions extends TargetOptions {
  readonly limit: string
}

interface PauseOptions extends TargetOptions {
  readonly by: string
  readonly reason?: string
}

/** `althing cron list | history | pause | resume | run | remove` */
export function registerCronCommand(program: Command): void {
  const cron = program.command('cron').description('schedules that are run once for all instances')
  withTargetOptions(
    cron.command('list').description('every schedule: when it is due next, what runs, what waits'),
  ).action(list)
  withTargetOptions(cron.command('history').argument('<name>').description('its last runs, newest first'))
    .option('--limit <number>', 'at most so many', '20')
    .action(history)
  withTargetOptions(
    cron.command('pause').argument('<name>').description('start nothing more of it until it is resumed'),
  )
    .option('--by <who>', 'for those who look at it', 'althing cron')
    .option('--reason <text>', 'for those who look at it')
    .action(pause)
  withTargetOptions(
    cron
      .command('resume')
      .argument('<name>')
      .description('go on with the first occurrence after this moment'),
  ).action(resume)
  withTargetOptions(
    cron.command('run').argument('<name>').description('one run now, on whichever instance takes it'),
  ).action(run)
  withTargetOptions(
    cron.command('remove').argument('<name>').description('take it out of the store, with its history'),
  ).action(remove)
}

async function withCron(
  options: TargetOptions,
  work: (cron: CronService, nowMs: number) => Promise<void>,
): Promise<void> {
  await withStore(options, async ({ raw, world }) => {
    // To look on, and to note down an order, needs no guarantee.
    const cron = new CronService({ store: raw, world, accept: guarantees })
    try {
      await work(cron, world.clock.wallMs())
    } finally {
      await cron.close()
    }
  })
}

async function list(options: TargetOptions): Promise<void> {
  await withCron(options, async (cron, nowMs) => {
    const schedules = await cron.list()
    await print(options.json, schedules, formatSchedules(schedules, nowMs))
  })
}

async function history(name: string, options: HistoryOptions): Promise<void> {
  await withCron(options, async (cron) => {
    const records = await cron.history(name, { limit: Number(options.limit) })
    await print(options.json, records, formatHistory(records))
  })
}

async function pause(name: string, options: PauseOptions): Promise<void> {
  const { by, reason } = options
  await withCron(options, async (cron) => {
    await cron.pause(name, { by, ...(reason === undefined ? {} : { reason }) })
    await print(options.json, { name, paused: true }, `${name} is paused\n`)
  })
}

async function resume(name: string, options: TargetOptions): Promise<void> {
  await withCron(options, async (cron) => {
    await cron.resume(name)
    await print(options.json, { name, paused: false }, `${name} goes on\n`)
  })
}

async function run(name: string, options: TargetOptions): Promise<void> {
  await withCron(options, async (cron) => {
    const id = await cron.runNow(name)
    await print(options.json, { name, id }, `${id} waits for an instance that takes it\n`)
  })
}

async function remove(name: string, options: TargetOptions): Promise<void> {
  await withCron(options, async (cron) => {
    const isRemoved = await cron.remove(name)
    const text = isRemoved ? `${name} is removed\n` : `there was no schedule ${name}\n`
    await print(options.json, { name, removed: isRemoved }, text)
  })
}
