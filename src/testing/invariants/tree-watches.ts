import type { WatchEvent } from '../../contracts/store.ts'
import { prefixRange } from '../../coordination/locks/lock-entry.ts'
import { childrenRange, nodeKey, nodesPrefix, pathOf } from '../../coordination/tree/tree-path.ts'
import type { TreeChange, TreeEvent, WatchKind } from '../../coordination/tree/tree-types.ts'
import { type EventLog, eventKey, eventRevision } from '../checkers/event-log.ts'
import { InvariantViolation } from './violation.ts'

/** A one-shot watch that fired. */
export interface FiredWatch {
  readonly watcher: string
  readonly path: string
  readonly kind: WatchKind
  readonly after: number
  readonly event: TreeEvent
}

/** What a recursive watch of the whole tree has told so far. */
export interface FollowedTree {
  readonly follower: string
  readonly after: number
  readonly changes: readonly TreeChange[]
}

const name = 'tree-watches'
const everything = prefixRange(nodesPrefix)

/** A one-shot watch tells the first change that it waits for after what was read: between the read and the watch nothing is missed. ZooKeeper, "Watches". */
export function checkFiredWatches(
  fired: readonly FiredWatch[],
  events: EventLog,
): InvariantViolation | undefined {
  for (const { watcher, path, kind, after, event } of fired) {
    const first = firstRevision(path, kind, after, events)
    if (event.revision === first) continue
    const what = `${watcher} watched ${path} (${kind}) after revision ${after}`
    return new InvariantViolation(name, `${what} and was told of ${event.revision}; the first was ${first}`)
  }
  return undefined
}

/** A recursive watch tells every change in order, each once; or that some are forgotten. */
export function checkFollowedTrees(
  followed: readonly FollowedTree[],
  events: EventLog,
): InvariantViolation | undefined {
  for (const { follower, after, changes } of followed) {
    const problem = problemOf(after, changes, events)
    if (problem !== undefined) return new InvariantViolation(name, `${follower} ${problem}`)
  }
  return undefined
}

function problemOf(after: number, changes: readonly TreeChange[], events: EventLog): string | undefined {
  let due = shownAfter(after, events)
  for (const change of changes) {
    if (change.type === 'resync') {
      due = shownAfter(change.revision, events)
      continue
    }
    const next = due.shift()
    const text = textOf(change)
    if (text !== next) return `was told of ${text}, where ${next ?? 'nothing'} came next`
  }
  return undefined
}

function firstRevision(path: string, kind: WatchKind, after: number, events: EventLog): number {
  const changesOf = (range: { key: string; end?: string }): WatchEvent[] =>
    events.between(range, after + 1, Infinity).flatMap((each) => each.events)
  const isDataChange = (event: WatchEvent): boolean => event.type === 'put' && event.kv.version > 1
  const own = changesOf({ key: nodeKey(path) }).filter(
    (event) => kind === 'exist' || event.type === 'delete' || (kind === 'data' && isDataChange(event)),
  )
  const below = kind === 'child' ? changesOf(childrenRange(path)).filter((event) => !isDataChange(event)) : []
  return Math.min(...[...own, ...below].map(eventRevision))
}

function shownAfter(revision: number, events: EventLog): string[] {
  return events.between(everything, revision + 1, Infinity).flatMap((each) =>
    each.events.map((event) => {
      const set = event.type === 'put' && event.kv.version === 1 ? 'created' : 'data-changed'
      const type = event.type === 'delete' ? 'deleted' : set
      return textOf({ type, path: pathOf(eventKey(event), nodesPrefix), revision: eventRevision(event) })
    }),
  )
}

function textOf({ type, path, revision }: TreeEvent): string {
  return `${path} ${type} at revision ${revision}`
}
