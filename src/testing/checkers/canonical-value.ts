import type { JsonValue } from '../../base/json-value.ts'

/** A text that is the same for equal JSON values, whatever the order of the members of objects. */
export type CanonicalValue = string

export const canonicalNull: CanonicalValue = 'null'

/** `undefined` counts as `null`. The nesting is bounded by the parser of histories. */
export function canonicalValue(value: JsonValue | undefined): CanonicalValue {
  if (value === undefined || value === null) return canonicalNull
  if (typeof value !== 'object') return JSON.stringify(value)
  if (Array.isArray(value)) return `[${value.map(canonicalValue).join(',')}]`
  const members = Object.entries(value as { readonly [name: string]: JsonValue })
    .filter(([, member]) => member !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${canonicalValue(member)}`).join(',')}}`
}

/** FNV-1a over UTF-16 units, 32 bits. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash | 0
}

export function mixHash(hash: number, more: number): number {
  const mixed = Math.imul(hash ^ more, 0x9e3779b1)
  return mixed ^ (mixed >>> 15)
}
