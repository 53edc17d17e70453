import { formatDurationMs } from '../../base/duration.ts'
import type { MemberSight } from '../../engines/cluster/node-status.ts'
import type { MemberAnswer } from './member-answer.ts'

/** How a member looks to the others, at worst. */
export interface SharedSight {
  readonly sight: MemberSight
  /** Who sees it so. */
  readonly by: readonly number[]
  /** Those who see it at all. */
  readonly among: number
}

const gravity = ['alive', 'recovered', 'left', 'degraded', 'suspect', 'failed'] as const

/** What the others that answer say of the member; what it says itself where there is nobody else. `undefined`: nobody has seen it. */
export function sightAmong(answers: readonly MemberAnswer[], id: number): SharedSight | undefined {
  const all = answers.flatMap(({ id: by, status }) => {
    const sight = status?.members.find((member) => member.id === id)?.seen
    return sight === undefined ? [] : [{ by, sight }]
  })
  const others = all.filter(({ by }) => by !== id)
  const seen = others.length > 0 ? others : all
  const [worst] = seen.toSorted((a, b) => gravityOf(b.sight) - gravityOf(a.sight))
  if (worst === undefined) return undefined
  const by = seen.filter(({ sight }) => sight.state === worst.sight.state).map((each) => each.by)
  return { sight: worst.sight, by, among: seen.length }
}

/** In a few words: `alive`, `degraded (event-loop)`, `suspect (by 2)`, `failed for 3m`. */
export function shownSight({ state, degraded, suspectedBy = [], forMs }: MemberSight): string {
  if (state === 'degraded') return `degraded (${degraded ?? 'slow'})`
  if (state === 'suspect') return `suspect (by ${suspectedBy.join(', ')})`
  if (state === 'failed' || state === 'recovered') return `${state} for ${formatDurationMs(forMs)}`
  return state
}

function gravityOf({ state }: MemberSight): number {
  return gravity.indexOf(state)
}
