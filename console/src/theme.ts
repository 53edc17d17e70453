import { signal } from '@preact/signals'

export type Theme = 'light' | 'dark'

const storageKey = 'althing.theme'

export const theme = signal<Theme>('light')

/** What was chosen before, else what the system prefers, also when that changes. */
export function startTheme(): void {
  const system = matchMedia('(prefers-color-scheme: dark)')
  const kept = () => localStorage.getItem(storageKey)
  const resolve = (): Theme => {
    const chosen = kept()
    if (chosen === 'light' || chosen === 'dark') return chosen
    return system.matches ? 'dark' : 'light'
  }
  theme.value = resolve()
  system.addEventListener('change', () => {
    theme.value = resolve()
  })
  theme.subscribe((chosen) => {
    document.documentElement.dataset['theme'] = chosen
  })
}

export function chooseTheme(chosen: Theme): void {
  theme.value = chosen
  localStorage.setItem(storageKey, chosen)
}
