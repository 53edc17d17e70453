import type { Command } from 'commander'
import { keyRange, prefixKeyRange } from '../node/key-range.ts'
import { watchBatchView } from '../node/watch-batch-view.ts'
import { wholeNumber } from './arguments.ts'
import { formatWatchBatch } from './format-items.ts'
import { print } from './output.ts'
import { type TargetOptions, withStore, withTargetOptions } from './target.ts'
import { untilStopped } from './until-stopped.ts'

interface WatchOptions extends TargetOptions {
  readonly prefix?: boolean
  readonly from?: string
}

/** `althing watch KEY`, until Ctrl-C. */
export function registerWatchCommand(program: Command): void {
  withTargetOptions(
    program
      .command('watch')
      .argument('<key>')
      .description('print each change of a key: revision, put or delete, key, value; until Ctrl-C'),
  )
    .option('--prefix', 'all keys that start with KEY')
    .option('--from <revision>', 'the first revision wanted; default: from now on')
    .action(watch)
}

async function watch(key: string, options: WatchOptions): Promise<void> {
  const range = options.prefix === true ? prefixKeyRange(key) : keyRange(key)
  const from = options.from === undefined ? {} : { fromRevision: wholeNumber('--from', options.from) }
  await withStore(options, async ({ raw }) => {
    const batches = raw.watch({ ...range, ...from })
    const printing = (async () => {
      for await (const batch of batches) {
        const view = watchBatchView(batch)
        await print(options.json, view, formatWatchBatch(view))
      }
    })()
    await untilStopped(printing)
    batches.close()
    await printing
  })
}
