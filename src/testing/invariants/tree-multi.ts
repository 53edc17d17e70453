import { textFromBytes } from '../../base/bytes.ts'
import { nodeKey } from '../../coordination/tree/tree-path.ts'
import { dataOf } from '../../coordination/tree/tree-plan.ts'
import type { EventLog } from '../checkers/event-log.ts'
import { InvariantViolation } from './violation.ts'

/**
 * Two nodes that are only ever set together, to one more than they were, are never seen apart, and no count is left out or made twice: a `multi` is done as a whole, on what it was checked
 * against, or not at all. ZooKeeper, "multi".
 */
export function checkTreeMulti(
  pair: readonly [string, string],
  events: EventLog,
): InvariantViolation | undefined {
  const texts = new Map<string, string>()
  const changes = pair.flatMap((path) => events.between({ key: nodeKey(path) }, 0, Infinity))
  let before = 0
  for (const revision of [...new Set(changes.map((each) => each.revision))].sort((a, b) => a - b)) {
    for (const path of pair) {
      const event = events.newestAt(nodeKey(path), revision)
      texts.set(path, event?.type === 'put' ? textFromBytes(dataOf(event.kv)) : 'nothing')
    }
    const [first, second] = pair.map((path) => texts.get(path))
    const next = String(before)
    const isNext = first === second && first === next
    if (!isNext)
      return new InvariantViolation(
        'tree-multi',
        `at revision ${revision} ${pair.join(' and ')} have ${first} and ${second}, and must have ${next}`,
      )
    before += 1
  }
  return undefined
}
