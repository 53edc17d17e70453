import type { Command } from 'commander'
import { guarantees } from '../coordination/guarantees.ts'
import { LockService } from '../coordination/locks/lock.ts'
import { formatLocks } from './format-locks.ts'
import { print } from './output.ts'
import { type TargetOptions, withStore, withTargetOptions } from './target.ts'

/** `althing locks [NAME]` */
export function registerLocksCommand(program: Command): void {
  withTargetOptions(
    program
      .command('locks')
      .argument('[name]', 'this lock only')
      .description('who holds which lock, since when, and who waits'),
  ).action(locks)
}

async function locks(name: string | undefined, options: TargetOptions): Promise<void> {
  await withStore(options, async ({ raw, world }) => {
    // To look on needs no guarantee, and is nothing that the doctor has to tell of.
    const service = new LockService({ store: raw, world, accept: guarantees })
    try {
      const found = name === undefined ? await service.list() : [await service.explain(name)]
      await print(options.json, found, formatLocks(found, world.clock.wallMs()))
    } finally {
      await service.close()
    }
  })
}
