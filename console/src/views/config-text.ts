import type { ConfigValue, Labels } from '../api/config-api.ts'

/** As JSON; of a secret nothing. */
export function valueText(value: ConfigValue | undefined): string {
  if (value === undefined) return ''
  return value.isSecret ? '••••••' : JSON.stringify(value.value)
}

/** What somebody has typed as a value: JSON, or else the text itself. */
export function typedValue(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

export function labelsText(labels: Labels | undefined): string {
  return Object.entries(labels ?? {})
    .map(([name, value]) => `${name}=${value}`)
    .join(', ')
}

/** `name=value, name=value`. `undefined`: it is not of that form; an empty text has no labels. */
export function typedLabels(text: string): Labels | undefined {
  const pairs = text
    .split(',')
    .map((pair) => pair.trim())
    .filter((pair) => pair !== '')
    .map((pair) => /^([^=]+)=(.*)$/.exec(pair))
  if (pairs.some((pair) => pair === null)) return undefined
  return Object.fromEntries(pairs.map((pair) => [(pair?.[1] ?? '').trim(), (pair?.[2] ?? '').trim()]))
}
