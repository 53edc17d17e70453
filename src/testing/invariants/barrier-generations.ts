import type { ByteString } from '../../base/bytes.ts'
import type { KeyValue } from '../../contracts/store.ts'
import { type Passage, passageOf } from '../../coordination/primitives/gathering.ts'
import { applyEvent, type EventLog } from '../checkers/event-log.ts'
import { InvariantViolation } from './violation.ts'

export interface WatchedBarrier {
  readonly name: string
  readonly range: { readonly key: ByteString; readonly end: ByteString }
  readonly parties: number
  /** Nobody is let in before all of the former generation have left. */
  readonly isDouble: boolean
}

/** One user was let through. Times are true. */
export interface ObservedPassage extends Passage {
  readonly user: string
  readonly barrier: string
  readonly cameMs: number
  readonly passedMs: number
}

/**
 * A barrier opens for exactly as many parties as are waited for, those who have stood longest, all of them there at that revision; whoever passes is one of them, and nobody passes
 * before the last of them has come. Into a double barrier nobody is let before the former generation has left. Mellor-Crummey and Scott, "Algorithms for scalable synchronization" (1991).
 */
export function checkBarrierGenerations(
  barrier: WatchedBarrier,
  passages: readonly ObservedPassage[],
  events: EventLog,
): InvariantViolation | undefined {
  const openings = openingsOf(barrier, events)
  const problem =
    typeof openings === 'string'
      ? openings
      : passing(
          passages.filter((each) => each.barrier === barrier.name),
          barrier,
          openings,
        )
  return problem === undefined
    ? undefined
    : new InvariantViolation('barrier-generations', `${barrier.name}: ${problem}`)
}

/** The revisions at which it opened; or what is wrong with one of them. */
function openingsOf(barrier: WatchedBarrier, events: EventLog): ReadonlySet<number> | string {
  const standing = new Map<ByteString, KeyValue>()
  const openings = new Set<number>()
  for (const { revision, events: changes } of events.between(barrier.range, 0, Infinity)) {
    const marked = changes.flatMap((event) => {
      const passage = event.type === 'put' ? passageOf(event.kv) : undefined
      return event.type === 'put' && passage !== undefined ? [{ kv: event.kv, index: passage.index }] : []
    })
    const problem = marked.length === 0 ? undefined : opening(barrier, marked, standing)
    if (problem !== undefined) return `it opened at revision ${revision} ${problem}`
    if (marked.length > 0) openings.add(revision)
    for (const event of changes) applyEvent(standing, event)
  }
  return openings
}

function opening(
  { parties, isDouble }: WatchedBarrier,
  marked: readonly { readonly kv: KeyValue; readonly index: number }[],
  standing: ReadonlyMap<ByteString, KeyValue>,
): string | undefined {
  if (marked.length !== parties) return `for ${marked.length} parties, where ${parties} are waited for`
  const waiting = [...standing.values()]
    .filter((kv) => passageOf(kv) === undefined)
    .sort((a, b) => a.createRevision - b.createRevision)
  const isInTurn = marked.every(({ kv, index }) => waiting[index]?.key === kv.key)
  if (!isInTurn) return `for others than the first ${parties} of the ${waiting.length} that waited`
  if (isDouble && waiting.length < standing.size)
    return `while ${standing.size - waiting.length} of the former generation had not left`
  return undefined
}

function passing(
  passages: readonly ObservedPassage[],
  { parties }: WatchedBarrier,
  openings: ReadonlySet<number>,
): string | undefined {
  const places = new Map<string, ObservedPassage>()
  for (const passage of passages) {
    const { user, generation, index } = passage
    const what = `${user} passed with generation ${generation} as number ${index}`
    if (!openings.has(generation) || index >= parties) return `${what}, which never was`
    const other = places.get(`${generation}/${index}`)
    if (other !== undefined) return `${what}, as did ${other.user}`
    places.set(`${generation}/${index}`, passage)
    const late = passages.find((each) => each.generation === generation && each.cameMs > passage.passedMs)
    if (late !== undefined) return `${what}, before ${late.user} of the same generation came`
  }
  return undefined
}
