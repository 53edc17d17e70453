import { formatCount } from '../text/format.ts'
import { locale } from '../text/language.ts'

/** A count beside the largest of its kind. */
export function ShareBar({ count, max }: { readonly count: number; readonly max: number }) {
  return (
    <div class="bar">
      <div class="bar-track" aria-hidden="true">
        <span class="bar-fill" style={{ width: `${max === 0 ? 0 : (100 * count) / max}%` }} />
      </div>
      <span class="bar-label">{formatCount(count, locale.value)}</span>
    </div>
  )
}
