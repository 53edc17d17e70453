import type { en } from './en.ts'

export type TextKey = keyof typeof en
export type TextValues = Readonly<Record<string, string | number>>

/** A text that is put into words only when it is shown, in the language of that moment. */
export interface Phrase {
  readonly key: TextKey
  readonly values?: TextValues
}

/** Replaces each `{name}` that has a value. */
export function fillIn(text: string, values: TextValues): string {
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole))
}

/** The names in braces, sorted, each once. */
export function placeholders(text: string): string[] {
  return [...new Set([...text.matchAll(/\{(\w+)\}/g)].map((match) => match[1] as string))].toSorted()
}
