import type { ConfigDifference } from '../api/config-api.ts'
import { Label } from '../parts/badge.tsx'
import { t } from '../text/language.ts'
import { valueText } from './config-text.ts'

/** What is another in one version than in the other; of a secret only that it is. */
export function DifferenceList({ differences }: { readonly differences: readonly ConfigDifference[] }) {
  if (differences.length === 0) return <p class="dim">{t('config.noDifferences')}</p>
  return (
    <ul class="config-diff" data-test="config-diff">
      {differences.map(({ key, instance, before, after }) => (
        <li key={`${instance ?? ''} ${key}`} data-key={key}>
          <span class="mono">{key}</span> {instance === undefined ? null : <Label>{instance}</Label>}
          <span class="mono">
            {before === undefined ? null : <del class="break">{valueText(before)}</del>}
            {before === undefined || after === undefined ? null : ' → '}
            {after === undefined ? null : <ins class="break">{valueText(after)}</ins>}
          </span>
        </li>
      ))}
    </ul>
  )
}
