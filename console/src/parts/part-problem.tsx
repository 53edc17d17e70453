import { snapshot } from '../live/live-state.ts'
import { t } from '../text/language.ts'

/** Said above a part of the live data that the node could not read for the newest snapshot. */
export function PartProblem({
  parts,
}: {
  readonly parts: readonly ('locks' | 'elections' | 'services' | 'processes')[]
}) {
  const problems = snapshot.value?.problems ?? {}
  const message = parts.map((part) => problems[part]).find((each) => each !== undefined)
  if (message === undefined) return null
  return (
    <div class="notice warn" role="status">
      <strong>{t('part.unreadable')}</strong>
      <span class="dim">{message}</span>
    </div>
  )
}
