import type { KeyItem } from '../api/types.ts'
import { Empty } from '../parts/panel.tsx'
import { formatCount } from '../text/format.ts'
import { locale, t } from '../text/language.ts'
import { keyText, pageExtent } from './key-pages.ts'
import { nextPage, pageStarts, prefix, previousPage, reply, select, selectedKey } from './keys-state.ts'

export function KeyList() {
  const found = reply.value
  if (found === undefined) return <section class="panel key-list" aria-busy="true" />
  return (
    <section class="panel">
      <div class="key-list" data-test="keys" onKeyDown={moveFocus}>
        {found.items.length === 0 ? (
          <Empty
            text={prefix.value === '' ? t('keys.none') : t('keys.noneFor', { prefix: prefix.value })}
            {...(prefix.value === '' ? { command: 'npx althing put hello world' } : {})}
          />
        ) : (
          found.items.map((item) => <Row key={keyText(item)} item={item} />)
        )}
      </div>
      <Pager />
    </section>
  )
}

function Row({ item }: { readonly item: KeyItem }) {
  const text = keyText(item)
  return (
    <button
      type="button"
      title={text}
      disabled={item.key === undefined}
      aria-current={item.key !== undefined && item.key === selectedKey.value}
      onClick={() => select(item.key)}
    >
      <span class="mono">{text}</span>
      <span class="dim">{t('keys.revisionShort', { revision: item.modRevision })}</span>
    </button>
  )
}

function Pager() {
  const found = reply.value
  if (found === undefined) return null
  const extent = pageExtent(pageStarts.value.length - 1, found)
  const count = (value: number) => formatCount(value, locale.value)
  return (
    <div class="pager">
      <button
        class="button small"
        type="button"
        disabled={pageStarts.value.length === 1}
        onClick={previousPage}
      >
        {t('keys.previous')}
      </button>
      <span class="dim" aria-live="polite">
        {t('keys.extent', {
          first: count(extent.first),
          last: count(extent.last),
          total: count(extent.total),
        })}
      </span>
      <button class="button small" type="button" disabled={!found.more} onClick={nextPage}>
        {t('keys.next')}
      </button>
    </div>
  )
}

/** The arrow keys go from one key to the next. */
function moveFocus(event: KeyboardEvent): void {
  const step =
    event.key === 'ArrowDown'
      ? 'nextElementSibling'
      : event.key === 'ArrowUp'
        ? 'previousElementSibling'
        : undefined
  if (step === undefined) return
  const next = document.activeElement?.[step]
  if (!(next instanceof HTMLElement)) return
  event.preventDefault()
  next.focus()
}
