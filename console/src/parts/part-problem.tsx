import { t } from '../text/language.ts'

/** Said above what a page shows when the node could not read it just now, for the reason given; nothing when it could. */
export function PartProblem({ problem }: { readonly problem: string | undefined }) {
  if (problem === undefined) return null
  return (
    <div class="notice warn" role="status">
      <strong>{t('part.unreadable')}</strong>
      <span class="dim">{problem}</span>
    </div>
  )
}
