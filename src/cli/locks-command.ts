import type { Command } from 'commander'
import { guarantees } from '../coordination/guarantees.ts'
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
  await withStore(
    options,
    async (althing) => {
      const found = name === undefined ? await althing.locks.list() : [await althing.locks.explain(name)]
      await print(options.json, found, formatLocks(found, althing.world.clock.wallMs()))
    },
    // To look on needs no guarantee.
    { accept: guarantees },
  )
}
