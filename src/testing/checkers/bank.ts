import { AlthingError } from '../../contracts/errors.ts'
import type { Operation } from '../history/operation.ts'
import { FindingsCollector, type FindingsResult } from './verdict.ts'

export interface BankOptions {
  /** What all accounts hold together. Default: what the first read shows. */
  readonly total?: number
  /** Default false. */
  readonly canBeNegative?: boolean
}

export interface BankResult extends FindingsResult {
  readonly reads: number
  readonly total: number | undefined
}

/**
 * Judges reads of all accounts (`read`, whose result is an object of balances) while transfers move money between them: a snapshot always shows
 * the same sum, and no balance under zero.
 */
export function checkBank(operations: readonly Operation[], options: BankOptions = {}): BankResult {
  const findings = new FindingsCollector()
  let { total } = options
  let reads = 0
  for (const operation of operations) {
    if (operation.op !== 'read' || operation.outcome !== 'ok') continue
    reads += 1
    const balances = balancesOf(operation)
    const sum = balances.reduce((all, [, balance]) => all + balance, 0)
    total ??= sum
    const where = `the read of process ${operation.process} at ${operation.calledAt}`
    if (sum !== total) findings.add('total', `${where} shows ${sum} in all, not ${total}`)
    if (options.canBeNegative === true) continue
    for (const [account, balance] of balances) {
      if (balance < 0) findings.add('not-negative', `${where} shows ${balance} in account ${account}`)
    }
  }
  return { ...findings.result(), reads, total }
}

function balancesOf(operation: Operation): (readonly [string, number])[] {
  const { output } = operation
  const entries =
    typeof output === 'object' && output !== null && !Array.isArray(output) ? Object.entries(output) : []
  const balances: [string, number][] = []
  for (const [account, balance] of entries) if (typeof balance === 'number') balances.push([account, balance])
  if (entries.length > 0 && balances.length === entries.length) return balances
  const where = `the read of process ${operation.process} at ${operation.calledAt}`
  throw new AlthingError('invalid-argument', `${where} has no object of balances as its result`)
}
