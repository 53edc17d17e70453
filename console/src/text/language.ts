import { computed, signal } from '@preact/signals'
import { en } from './en.ts'
import { type TextKey, type TextValues, fillIn } from './fill-in.ts'
import { zh } from './zh.ts'

export type Language = 'en' | 'zh'

const storageKey = 'althing.language'
const dictionaries: Readonly<Record<Language, Readonly<Record<TextKey, string>>>> = { en, zh }

/** What was chosen before, else what the browser asks for, else English. */
export function initialLanguage(kept: string | null, preferred: readonly string[]): Language {
  if (kept === 'en' || kept === 'zh') return kept
  const first = preferred.find((tag) => /^(en|zh)\b/i.test(tag))
  return first !== undefined && /^zh/i.test(first) ? 'zh' : 'en'
}

export const language = signal<Language>('en')

/** For `Intl`. */
export const locale = computed(() => (language.value === 'zh' ? 'zh-CN' : 'en-GB'))

/** A text of the present language, with `{name}` filled in. */
export function t(key: TextKey, values: TextValues = {}): string {
  return fillIn(dictionaries[language.value][key], values)
}

export function startLanguage(): void {
  language.value = initialLanguage(localStorage.getItem(storageKey), navigator.languages)
  language.subscribe((chosen) => {
    document.documentElement.lang = chosen === 'zh' ? 'zh-CN' : 'en'
  })
}

export function chooseLanguage(chosen: Language): void {
  language.value = chosen
  localStorage.setItem(storageKey, chosen)
}
