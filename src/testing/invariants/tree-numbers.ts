import { childrenRange, nameOf, nodesPrefix, pathOf } from '../../coordination/tree/tree-path.ts'
import type { EventLog } from '../checkers/event-log.ts'
import { InvariantViolation } from './violation.ts'

const digits = 10

/** The number of a sequential node; NaN for another. */
export function numberOf(path: string): number {
  return Number(nameOf(path).slice(-digits))
}

/**
 * The numbers of the sequential nodes of a parent grow in the order in which they were created, so none comes twice, whatever was deleted meanwhile. ZooKeeper, "Sequence nodes: unique
 * naming".
 */
export function checkTreeNumbers(parent: string, events: EventLog): InvariantViolation | undefined {
  let newest = -1
  for (const { revision, events: changes } of events.between(childrenRange(parent), 0, Infinity))
    for (const event of changes) {
      if (event.type !== 'put' || event.kv.version !== 1) continue
      const number = numberOf(pathOf(event.kv.key, nodesPrefix))
      if (number <= newest)
        return new InvariantViolation(
          'tree-numbers',
          `below ${parent} number ${number} was given at revision ${revision}, after ${newest}`,
        )
      newest = number
    }
  return undefined
}
