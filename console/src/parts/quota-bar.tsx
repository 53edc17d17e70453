import { formatPercent } from '../text/format.ts'
import { locale } from '../text/language.ts'

interface QuotaBarProps {
  /** 0..1, or more. */
  readonly share: number
  /** Full is good. */
  readonly isProgress?: boolean
}

/** How much of what is allowed is used, or of what is wanted is there. */
export function QuotaBar({ share, isProgress = false }: QuotaBarProps) {
  const tone = isProgress || share < 0.8 ? '' : share >= 1 ? 'bad' : 'warn'
  return (
    <div class="bar">
      <div class="bar-track" aria-hidden="true">
        <span class={`bar-fill ${tone}`} style={{ width: `${Math.min(100, share * 100)}%` }} />
      </div>
      <span class="bar-label">{formatPercent(share, locale.value)}</span>
    </div>
  )
}
