import { signal } from '@preact/signals'
import { ApiError } from '../api/client.ts'
import { type Phrase, type TextKey } from '../text/fill-in.ts'
import { en } from '../text/en.ts'
import { t } from '../text/language.ts'

interface Toast {
  readonly id: number
  readonly tone: 'ok' | 'bad'
  readonly phrase: Phrase
}

const toastsMax = 4
const shownMs = 6_000
const toasts = signal<readonly Toast[]>([])

export function say(tone: Toast['tone'], phrase: Phrase): void {
  const id = (toasts.value.at(-1)?.id ?? 0) + 1
  toasts.value = [...toasts.value, { id, tone, phrase }].slice(-toastsMax)
  setTimeout(() => dismiss(id), tone === 'ok' ? shownMs : 2 * shownMs)
}

function dismiss(id: number): void {
  toasts.value = toasts.value.filter((toast) => toast.id !== id)
}

/** A failure in words: what its code means, and what the node said. */
export function failurePhrase(error: unknown): Phrase {
  if (!(error instanceof ApiError)) return { key: 'error.other', values: { message: String(error) } }
  const key = `error.${error.code}`
  if (error.outcome === 'unknown') return { key: 'error.unknownOutcome', values: { message: error.message } }
  if (key in en) return { key: key as TextKey, values: { message: error.message } }
  return { key: 'error.other', values: { message: error.message || error.code } }
}

export function Toasts() {
  return (
    <div class="toasts" role="status" aria-live="polite">
      {toasts.value.map(({ id, tone, phrase }) => (
        <div key={id} class={`toast ${tone}`}>
          <span>{t(phrase.key, phrase.values)}</span>
          <button class="quiet" type="button" aria-label={t('app.dismiss')} onClick={() => dismiss(id)}>
            ×
          </button>
        </div>
      ))}
    </div>
  )
}
