import { useState } from 'preact/hooks'
import { t } from '../text/language.ts'

const saidMs = 2_000

/** A command to run in a terminal, ready to be copied. */
export function Command({ text }: { readonly text: string }) {
  const [isCopied, setCopied] = useState(false)
  const copy = async () => {
    await navigator.clipboard.writeText(text)
    setCopied(true)
    setTimeout(() => setCopied(false), saidMs)
  }
  return (
    <div class="command">
      <code>{text}</code>
      {/* The clipboard is there only where the page was reached safely. */}
      {navigator.clipboard === undefined ? null : (
        <button class="button small" type="button" onClick={() => void copy().catch(() => undefined)}>
          {t(isCopied ? 'command.copied' : 'command.copy')}
        </button>
      )}
    </div>
  )
}
