import type { ComponentChildren } from 'preact'

export type Tone = 'ok' | 'warn' | 'bad' | 'accent' | 'plain'

export function Badge({ tone, children }: { readonly tone: Tone; readonly children: ComponentChildren }) {
  return <span class={`badge ${tone === 'plain' ? '' : tone}`}>{children}</span>
}

/** A word without a state. */
export function Label({ children }: { readonly children: ComponentChildren }) {
  return <span class="badge plain">{children}</span>
}
