import type { Command } from 'commander'
import { invalidArgument } from '../contracts/errors.ts'
import { LockOverview } from '../coordination/locks/lock-overview.ts'
import { SemaphoreOverview } from '../coordination/semaphores/semaphore-overview.ts'
import { formatLocks, formatReleases, formatSemaphores } from './format-locks.ts'
import { print } from './output.ts'
import { type TargetOptions, withStore, withTargetOptions } from './target.ts'

interface LocksOptions extends TargetOptions {
  readonly release?: boolean
  readonly releases?: boolean
  readonly by?: string
  readonly reason?: string
  readonly token?: string
}

interface SemaphoresOptions extends LocksOptions {
  readonly setLimit?: string
}

/** `althing locks [NAME]` and `althing semaphores [NAME]` */
export function registerLocksCommand(program: Command): void {
  withRelease(
    program
      .command('locks')
      .argument('[name]', 'this lock only')
      .description('who holds which lock, since when, and who waits'),
  ).action(locks)
  withRelease(
    program
      .command('semaphores')
      .argument('[name]', 'this semaphore only')
      .description('how many permits of which semaphore are out, who holds them, and who waits'),
  )
    .option('--set-limit <number>', "set the limit for all ('none' takes it back; needs --by and --reason)")
    .action(semaphores)
}

function withRelease(command: Command): Command {
  return withTargetOptions(command)
    .option('--release', 'take it from its holder by force (needs --by and --reason)')
    .option('--token <number>', 'only from the holder with this token; needed where several hold')
    .option('--by <who>', 'who does it, for the record')
    .option('--reason <text>', 'why, for the record')
    .option('--releases', 'the records of forced releases')
}

// To look on needs no guarantee, and is nothing that the doctor has to tell of: so not by way of the services.
async function locks(name: string | undefined, options: LocksOptions): Promise<void> {
  await withStore(options, async ({ raw, world }) => {
    const overview = new LockOverview(raw, world)
    if (options.release === true) {
      const record = await overview.forceRelease(given(name), orderOf(options))
      await print(options.json, record, formatReleases([record]))
    } else if (options.releases === true) {
      const records = await overview.forcedReleases(given(name))
      await print(options.json, records, formatReleases(records))
    } else {
      const found = name === undefined ? await overview.list({}) : [await overview.explain(name, {})]
      await print(options.json, found, formatLocks(found, world.clock.wallMs()))
    }
  })
}

async function semaphores(name: string | undefined, options: SemaphoresOptions): Promise<void> {
  await withStore(options, async ({ raw, world }) => {
    const overview = new SemaphoreOverview(raw, world)
    if (options.setLimit !== undefined) {
      const limit = options.setLimit === 'none' ? null : Number(options.setLimit)
      await overview.setLimit(given(name), limit, orderOf(options))
    } else if (options.release === true) {
      const record = await overview.forceRelease(given(name), orderOf(options))
      await print(options.json, record, formatReleases([record]))
      return
    } else if (options.releases === true) {
      const records = await overview.forcedReleases(given(name))
      await print(options.json, records, formatReleases(records))
      return
    }
    const found = name === undefined ? await overview.list({}) : [await overview.explain(name, {})]
    await print(options.json, found, formatSemaphores(found, world.clock.wallMs()))
  })
}

function given(name: string | undefined): string {
  if (name === undefined) throw invalidArgument('name', name, 'the name that is meant')
  return name
}

function orderOf({ by = '', reason = '', token }: LocksOptions): {
  readonly by: string
  readonly reason: string
  readonly token?: number
} {
  if (by === '') throw invalidArgument('--by', by, 'who does it')
  if (reason === '') throw invalidArgument('--reason', reason, 'a text')
  return { by, reason, ...(token === undefined ? {} : { token: Number(token) }) }
}
