import type { Command } from 'commander'
import { AlthingError } from '../contracts/errors.ts'
import type { ReadOptions } from '../contracts/store.ts'
import { keyRange, prefixKeyRange } from '../node/key-range.ts'
import { keyValueView } from '../node/key-value-view.ts'
import { wholeNumber } from './arguments.ts'
import { formatItems } from './format-items.ts'
import { print, write } from './output.ts'
import { type TargetOptions, withStore, withTargetOptions } from './target.ts'

interface GetOptions extends TargetOptions {
  readonly prefix?: boolean
  readonly revision?: string
  readonly limit: string
  readonly serializable?: boolean
}

/** `althing get KEY` */
export function registerGetCommand(program: Command): void {
  withTargetOptions(program.command('get').argument('<key>').description('print the value of a key'))
    .option('--prefix', 'all keys that start with KEY, one line each: key, tab, value')
    .option('--limit <number>', 'with --prefix: at most so many', '1000')
    .option('--revision <number>', 'as of this revision of the store')
    .option('--serializable', "read a node's own copy: works without a quorum, may be behind")
    .action(get)
}

async function get(key: string, options: GetOptions): Promise<void> {
  const isPrefix = options.prefix === true
  const limit = isPrefix ? { limit: wholeNumber('--limit', options.limit) } : {}
  const revision =
    options.revision === undefined ? {} : { revision: wholeNumber('--revision', options.revision) }
  const request = { ...(isPrefix ? prefixKeyRange(key) : keyRange(key)), ...limit, ...revision }
  const read: ReadOptions = options.serializable === true ? { consistency: 'serializable' } : {}
  const reply = await withStore(options, ({ raw }) => raw.range(request, read))
  const items = reply.kvs.map((kv) => keyValueView(kv))
  if (isPrefix) {
    const { count, more } = reply
    await print(options.json, { items, count, more, revision: reply.revision }, formatItems(items))
    if (more && options.json !== true)
      process.stderr.write(`${count - items.length} more keys; ask for them with --limit\n`)
    return
  }
  const [kv] = reply.kvs
  if (kv === undefined) throw new AlthingError('not-found', `there is no key ${key}`, { details: { key } })
  if (options.json === true) return print(true, items[0], '')
  await write(process.stdout.isTTY ? Buffer.concat([kv.value, Buffer.from('\n')]) : kv.value)
}
