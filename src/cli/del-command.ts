import type { Command } from 'commander'
import { keyRange, prefixKeyRange } from '../node/key-range.ts'
import { print } from './output.ts'
import { type TargetOptions, withStore, withTargetOptions } from './target.ts'

interface DelOptions extends TargetOptions {
  readonly prefix?: boolean
}

/** `althing del KEY` */
export function registerDelCommand(program: Command): void {
  withTargetOptions(program.command('del').argument('<key>').description('delete a key'))
    .option('--prefix', 'all keys that start with KEY, in one revision')
    .action(del)
}

async function del(key: string, options: DelOptions): Promise<void> {
  const range = options.prefix === true ? prefixKeyRange(key) : keyRange(key)
  const reply = await withStore(options, ({ raw }) => raw.txn({ then: [{ op: 'delete', ...range }] }))
  const [first] = reply.replies
  const deleted = first?.op === 'delete' ? first.deleted : 0
  await print(options.json, { deleted, revision: reply.revision }, `${deleted} deleted\n`)
}
