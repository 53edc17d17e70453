import { computed, effect, signal } from '@preact/signals'
import { api } from '../api/client.ts'
import type { KeyItem, KeysReply } from '../api/types.ts'
import { snapshot } from '../live/live-state.ts'
import { failurePhrase } from '../parts/toasts.tsx'
import { view } from '../route.ts'
import type { Phrase } from '../text/fill-in.ts'
import { afterKey, pageSize } from './key-pages.ts'

/** The store is not asked more often than this while it changes. */
const refreshMs = 2_000

export const prefix = signal('')
/** Reads the serving node's own copy: goes on without a quorum. */
export const isSerializable = signal(false)
/** First key of each page up to the present one; `undefined` for the first page. */
export const pageStarts = signal<readonly (string | undefined)[]>([undefined])
export const reply = signal<KeysReply | undefined>(undefined)
export const failure = signal<Phrase | undefined>(undefined)
export const selectedKey = signal<string | undefined>(undefined)
/** `null`: there is no such key now. */
export const selectedItem = signal<KeyItem | null | undefined>(undefined)

const revision = computed(() =>
  Math.max(0, ...(snapshot.value?.cluster.members.map(({ status }) => status?.revision ?? 0) ?? [])),
)

let listing: AbortController | undefined
let reading: AbortController | undefined
let lastRefreshMs = 0

/** Starts to follow the store's revision. The returned function ends that. */
export function followStore(): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined
  const stop = effect(() => {
    if (revision.value === 0 || view.value !== 'keys') return
    clearTimeout(timer)
    timer = setTimeout(refresh, Math.max(0, lastRefreshMs + refreshMs - Date.now()))
  })
  return () => {
    clearTimeout(timer)
    stop()
  }
}

export function refresh(): void {
  lastRefreshMs = Date.now()
  void loadList()
  void loadSelected()
}

export function search(text: string): void {
  prefix.value = text
  pageStarts.value = [undefined]
  void loadList()
}

export function nextPage(): void {
  const last = reply.value?.items.at(-1)?.key
  if (last === undefined) return
  pageStarts.value = [...pageStarts.value, afterKey(last)]
  void loadList()
}

export function previousPage(): void {
  if (pageStarts.value.length > 1) pageStarts.value = pageStarts.value.slice(0, -1)
  void loadList()
}

export function select(key: string | undefined): void {
  if (key !== selectedKey.value) selectedItem.value = undefined
  selectedKey.value = key
  void loadSelected()
}

async function loadList(): Promise<void> {
  listing?.abort()
  const own = new AbortController()
  listing = own
  const from = pageStarts.value.at(-1)
  try {
    const found = await api.keys(
      {
        prefix: prefix.value,
        limit: pageSize,
        keysOnly: true,
        isSerializable: isSerializable.value,
        ...(from === undefined ? {} : { from }),
      },
      own.signal,
    )
    reply.value = found
    failure.value = undefined
  } catch (error) {
    if (!own.signal.aborted) failure.value = failurePhrase(error)
  }
}

async function loadSelected(): Promise<void> {
  reading?.abort()
  const key = selectedKey.value
  if (key === undefined) return
  const own = new AbortController()
  reading = own
  try {
    const item = await readKey(key, undefined, own.signal)
    // The same version again must not make the whole detail anew.
    if (item?.modRevision !== selectedItem.value?.modRevision || item === undefined)
      selectedItem.value = item ?? null
  } catch (error) {
    if (!own.signal.aborted) failure.value = failurePhrase(error)
  }
}

/** A key is the first of all keys that begin with it. */
export async function readKey(
  key: string,
  atRevision: number | undefined,
  signal?: AbortSignal,
): Promise<KeyItem | undefined> {
  const revisionPart = atRevision === undefined ? {} : { revision: atRevision }
  const found = await api.keys(
    { prefix: key, limit: 1, isSerializable: isSerializable.value, ...revisionPart },
    signal,
  )
  return found.items[0]?.key === key ? found.items[0] : undefined
}
