import { formatCount } from '../text/format.ts'
import { locale, t } from '../text/language.ts'

/** How far a member is behind: the bar grows with the logarithm, for ten entries and ten thousand are both of interest. */
export function LagBar({ lag }: { readonly lag: number }) {
  const tone = lag > 2_000 ? 'bad' : lag > 200 ? 'warn' : ''
  const text = lag === 0 ? t('member.inStep') : formatCount(lag, locale.value)
  return (
    <div class="bar" role="img" aria-label={t('member.lagMeaning', { lag })}>
      <div class="bar-track">
        <span class={`bar-fill ${tone}`} style={{ width: `${lagShare(lag) * 100}%` }} />
      </div>
      <span class={lag === 0 ? 'bar-label dim' : 'bar-label'}>{text}</span>
    </div>
  )
}

/** 0 at none, 1 at a hundred thousand and more. */
export function lagShare(lag: number): number {
  return Math.min(1, Math.log10(1 + lag) / 5)
}
