import type { Command } from 'commander'
import { byteStringFromText } from '../base/bytes.ts'
import { AlthingError, invalidArgument } from '../contracts/errors.ts'
import type { Compare } from '../contracts/store.ts'
import { storeLimits } from '../contracts/store.ts'
import { wholeNumber } from './arguments.ts'
import { print } from './output.ts'
import { readInput } from './read-input.ts'
import { type TargetOptions, withStore, withTargetOptions } from './target.ts'

interface PutOptions extends TargetOptions {
  readonly lease?: string
  readonly ifRevision?: string
}

/** `althing put KEY VALUE` */
export function registerPutCommand(program: Command): void {
  withTargetOptions(
    program
      .command('put')
      .argument('<key>')
      .argument('<value>', 'the value; - reads standard input, @FILE a file')
      .description('write the value of a key, the bytes as they are'),
  )
    .option('--lease <id>', 'the key is deleted with this lease')
    .option(
      '--if-revision <number>',
      'only if the revision of the key is this (0: only if it does not exist)',
    )
    .action(put)
}

async function put(key: string, argument: string, options: PutOptions): Promise<void> {
  const value = await readInput(argument, storeLimits.valueBytesMax)
  const lease = options.lease === undefined ? {} : { lease: wholeNumber('--lease', options.lease) }
  const bytes = byteStringFromText(key)
  const compare = revisionCompare(bytes, options.ifRevision)
  const reply = await withStore(options, ({ raw }) =>
    raw.txn({ compare, then: [{ op: 'put', key: bytes, value, ...lease }] }),
  )
  if (!reply.succeeded)
    throw new AlthingError('conflict', `${key} was not written: its revision is not ${options.ifRevision}`, {
      outcome: 'none',
    })
  const { revision } = reply
  await print(options.json, { key, revision }, `revision ${revision}\n`)
}

function revisionCompare(key: string, ifRevision: string | undefined): readonly Compare[] {
  if (ifRevision === undefined) return []
  const value = Number(ifRevision)
  if (!Number.isSafeInteger(value) || value < 0)
    throw invalidArgument('--if-revision', ifRevision, 'a whole number >= 0')
  return [{ target: 'modRevision', key, op: '=', value }]
}
