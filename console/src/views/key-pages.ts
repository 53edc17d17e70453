// Paging through keys. Pure.
import type { KeyItem, KeysReply } from '../api/types.ts'

export const pageSize = 100

/** The smallest key that comes after `key`. */
export function afterKey(key: string): string {
  return `${key}\0`
}

/** Which of how many are shown. The reply counts from its own first key on. */
export function pageExtent(
  depth: number,
  reply: KeysReply,
): { readonly first: number; readonly last: number; readonly total: number } {
  const before = depth * pageSize
  const first = reply.items.length === 0 ? 0 : before + 1
  return { first, last: before + reply.items.length, total: before + reply.count }
}

/** The key as text, however strange its bytes. */
export function keyText(item: Pick<KeyItem, 'key' | 'keyBase64'>): string {
  return item.key ?? `base64:${item.keyBase64 ?? ''}`
}

/** Keys of the product's own blocks: a change by hand can take a lock from its holder, or hide an instance. */
export function isInternal(key: string): boolean {
  return key.startsWith('/althing/')
}
