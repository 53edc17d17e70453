import type { Command } from 'commander'
import { AlthingError, invalidArgument } from '../contracts/errors.ts'
import { storeLimits } from '../contracts/store.ts'
import { type TxnDocument, txnDocument, txnRequestFrom, txnView } from '../node/txn-document.ts'
import { formatTxn } from './format-items.ts'
import { print } from './output.ts'
import { readInput } from './read-input.ts'
import { type TargetOptions, withStore, withTargetOptions } from './target.ts'

const example = `
The document, as in POST /api/v1/txn:

  { "compare": [{ "key": "stock", "target": "value", "op": "=", "value": "3" }],
    "then":    [{ "op": "put", "key": "stock", "value": "2" }, { "op": "put", "key": "order/7", "value": "ann" }],
    "else":    [{ "op": "get", "key": "stock" }] }

Exit code 0 when the comparisons held, 3 when they did not.`

/** `althing txn` */
export function registerTxnCommand(program: Command): void {
  withTargetOptions(
    program
      .command('txn')
      .argument('[document]', 'the transaction as JSON; - reads standard input, @FILE a file', '-')
      .description('compare, then do one of two lists of operations, as one')
      .addHelpText('after', example),
  ).action(txn)
}

async function txn(argument: string, options: TargetOptions): Promise<void> {
  const request = txnRequestFrom(parse(await readInput(argument, 2 * storeLimits.txnBytesMax)))
  const view = txnView(await withStore(options, ({ raw }) => raw.txn(request)))
  await print(options.json, view, formatTxn(view))
  if (!view.succeeded) process.exitCode = 3
}

function parse(bytes: Uint8Array): TxnDocument {
  const text = Buffer.from(bytes).toString('utf8')
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw invalidArgument('document', text, 'JSON; see althing txn --help')
  }
  const result = txnDocument.safeParse(value)
  if (result.success) return result.data
  const issues = result.error.issues.map(({ path, message }) => `${path.join('.') || 'document'}: ${message}`)
  throw new AlthingError('invalid-argument', issues.join('; '), { outcome: 'none' })
}
