import { useEffect, useRef, useState } from 'preact/hooks'
import { t } from '../text/language.ts'
import { KeyDetail } from './key-detail.tsx'
import { KeyList } from './key-list.tsx'
import { PutDialog } from './put-dialog.tsx'
import { failure, followStore, isSerializable, prefix, refresh, search, select } from './keys-state.ts'

/** Typing settles for so long before the store is asked. */
const typingMs = 200

export function KeysView() {
  const [isPutting, setPutting] = useState(false)
  useEffect(followStore, [])
  return (
    <>
      <div class="view-head">
        <h1>{t('nav.keys')}</h1>
        <div class="actions">
          <button class="button primary" type="button" onClick={() => setPutting(true)}>
            {t('keys.put')}
          </button>
        </div>
      </div>
      <KeyTools />
      {failure.value === undefined ? null : (
        <div class="notice bad" role="alert">
          {t(failure.value.key, failure.value.values)}
          {isSerializable.value ? null : <span class="dim">{t('keys.trySerializable')}</span>}
        </div>
      )}
      <div class="keys">
        <KeyList />
        <KeyDetail />
      </div>
      {isPutting ? <PutDialog onClose={() => setPutting(false)} onDone={select} /> : null}
    </>
  )
}

function KeyTools() {
  const input = useRef<HTMLInputElement>(null)
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined)
  useEffect(() => focusOnSlash(input), [])
  const onInput = (text: string) => {
    clearTimeout(timer.current)
    timer.current = setTimeout(() => search(text), typingMs)
  }
  return (
    <div class="key-tools">
      <input
        ref={input}
        type="search"
        class="mono"
        defaultValue={prefix.value}
        placeholder={t('keys.search')}
        aria-label={t('keys.search')}
        aria-keyshortcuts="/"
        spellcheck={false}
        onInput={(event) => onInput(event.currentTarget.value)}
      />
      <label class="check" title={t('keys.serializableMeaning')}>
        <input
          type="checkbox"
          checked={isSerializable.value}
          onChange={(event) => {
            isSerializable.value = event.currentTarget.checked
            refresh()
          }}
        />
        {t('keys.serializable')}
      </label>
    </div>
  )
}

function focusOnSlash(input: { readonly current: HTMLInputElement | null }): () => void {
  const onKey = (event: KeyboardEvent) => {
    const isTyping = event.target instanceof HTMLElement && event.target.matches('input, textarea')
    if (event.key !== '/' || isTyping || document.querySelector('dialog[open]') !== null) return
    event.preventDefault()
    input.current?.focus()
  }
  document.addEventListener('keydown', onKey)
  return () => document.removeEventListener('keydown', onKey)
}
