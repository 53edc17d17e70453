import { useEffect, useState } from 'preact/hooks'
import { ApiError } from '../api/client.ts'
import type { KeyItem } from '../api/types.ts'
import { failurePhrase } from '../parts/toasts.tsx'
import type { Phrase } from '../text/fill-in.ts'
import { t } from '../text/language.ts'
import { readKey } from './keys-state.ts'
import { bytesOf, textOf } from './value-text.ts'

const stepVersions = 5
const previewMax = 200

/** Earlier versions of a key, as far as the store still has them: each read at the revision before the next one. */
export function KeyHistory({ name, newest }: { readonly name: string; readonly newest: KeyItem }) {
  const [versions, setVersions] = useState<readonly KeyItem[]>([])
  const [end, setEnd] = useState<Phrase>()
  const [isLoading, setLoading] = useState(false)
  useEffect(() => {
    setVersions([])
    setEnd(undefined)
  }, [name, newest.modRevision])
  const load = async () => {
    setLoading(true)
    const found = await earlier(name, versions.at(-1) ?? newest)
    setVersions([...versions, ...found.versions])
    setEnd(found.end)
    setLoading(false)
  }
  const oldest = versions.at(-1) ?? newest
  if (oldest.version === 1 && versions.length === 0) return <p class="dim">{t('history.first')}</p>
  return (
    <div>
      <h3>{t('history.title')}</h3>
      <ul class="history">
        {versions.map((version) => (
          <Version key={version.modRevision} item={version} />
        ))}
      </ul>
      {end === undefined && oldest.version > 1 ? (
        <button class="button small" type="button" disabled={isLoading} onClick={() => void load()}>
          {t('history.more')}
        </button>
      ) : null}
      {end === undefined ? null : <p class="dim">{t(end.key, end.values)}</p>}
    </div>
  )
}

function Version({ item }: { readonly item: KeyItem }) {
  const text = textOf(bytesOf(item))
  return (
    <li>
      <span class="dim">{t('keys.revisionShort', { revision: item.modRevision })}</span>
      <span class="mono" title={text?.slice(0, 2_000)}>
        {text === undefined ? t('history.binary') : text.slice(0, previewMax)}
      </span>
    </li>
  )
}

async function earlier(
  name: string,
  from: KeyItem,
): Promise<{ readonly versions: readonly KeyItem[]; readonly end?: Phrase }> {
  const versions: KeyItem[] = []
  let last = from
  try {
    while (versions.length < stepVersions && last.version > 1) {
      const item = await readKey(name, last.modRevision - 1)
      if (item === undefined) break
      versions.push(item)
      last = item
    }
  } catch (error) {
    const isCompacted = error instanceof ApiError && error.code === 'compacted'
    return { versions, end: isCompacted ? { key: 'history.compacted' } : failurePhrase(error) }
  }
  return { versions }
}
