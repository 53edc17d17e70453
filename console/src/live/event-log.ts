import { signal } from '@preact/signals'
import type { Phrase } from '../text/fill-in.ts'

/** `done`: by the person at this page. `seen`: by the page, in what the cluster tells. */
export interface LogEntry {
  readonly id: number
  readonly atMs: number
  readonly kind: 'done' | 'seen' | 'failed'
  readonly phrase: Phrase
}

const entriesMax = 200

/** Newest first. */
export const eventLog = signal<readonly LogEntry[]>([])

export function record(kind: LogEntry['kind'], phrase: Phrase): void {
  const id = (eventLog.value[0]?.id ?? 0) + 1
  eventLog.value = [{ id, atMs: Date.now(), kind, phrase }, ...eventLog.value].slice(0, entriesMax)
}
