import { Field } from '../parts/field.tsx'
import { t } from '../text/language.ts'

interface RuleFieldsProps {
  readonly share: number
  readonly labels: string
  readonly shareMin?: number
  readonly onShare: (share: number) => void
  readonly onLabels: (labels: string) => void
}

/** For which instances a version is: a share of them, and those with certain labels. */
export function RuleFields({ share, labels, shareMin = 0, onShare, onLabels }: RuleFieldsProps) {
  return (
    <div class="config-pair">
      <label class="field">
        <span>{t('config.share', { share })}</span>
        <input
          type="range"
          min={shareMin}
          max={100}
          value={share}
          onInput={(event) => onShare(Number(event.currentTarget.value))}
        />
      </label>
      <Field
        label={t('config.match')}
        value={labels}
        onInput={onLabels}
        isMonospace
        placeholder="zone=north, disk=ssd"
      />
    </div>
  )
}
