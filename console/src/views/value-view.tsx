import { useState } from 'preact/hooks'
import { Segments } from '../parts/segments.tsx'
import { formatBytes } from '../text/format.ts'
import { locale, t } from '../text/language.ts'
import { bestForm, hexBytesMax, hexDump, prettyJson, textOf, type ValueForm } from './value-text.ts'

const forms = ['json', 'text', 'hex'] as const

export function ValueView({ bytes }: { readonly bytes: Uint8Array }) {
  const [chosen, setChosen] = useState<ValueForm>()
  const text = textOf(bytes)
  const json = prettyJson(text)
  const impossible: ValueForm[] = [
    ...(json === undefined ? (['json'] as const) : []),
    ...(text === undefined ? (['text'] as const) : []),
  ]
  const form = chosen === undefined || impossible.includes(chosen) ? bestForm(bytes) : chosen
  const shown = form === 'json' ? json : form === 'text' ? text : hexDump(bytes)
  return (
    <div class="key-detail">
      <Segments
        label={t('value.form')}
        values={forms}
        current={form}
        disabled={impossible}
        textOf={(each) => t(`value.${each}`)}
        onChoose={setChosen}
      />
      {bytes.length === 0 ? (
        <p class="dim">{t('value.empty')}</p>
      ) : (
        <pre class={`value ${form}`}>{shown}</pre>
      )}
      {form === 'hex' && bytes.length > hexBytesMax ? (
        <p class="dim">
          {t('value.cut', {
            shown: formatBytes(hexBytesMax, locale.value),
            size: formatBytes(bytes.length, locale.value),
          })}
        </p>
      ) : null}
    </div>
  )
}
