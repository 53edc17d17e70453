import { expect, test } from 'vitest'
import type { KeyItem, KeysReply } from '../api/types.ts'
import { afterKey, isInternal, keyText, pageExtent, pageSize } from './key-pages.ts'

function item(key: string): KeyItem {
  return { key, createRevision: 2, modRevision: 2, version: 1, lease: 0 }
}

function page(items: number, count: number): KeysReply {
  return {
    items: Array.from({ length: items }, (_, i) => item(`k${i}`)),
    count,
    more: count > items,
    revision: 9,
  }
}

test('the extent counts the pages before', () => {
  expect(pageExtent(0, page(pageSize, 100_000))).toEqual({ first: 1, last: 100, total: 100_000 })
  expect(pageExtent(999, page(pageSize, 100))).toEqual({ first: 99_901, last: 100_000, total: 100_000 })
  expect(pageExtent(0, page(0, 0))).toEqual({ first: 0, last: 0, total: 0 })
})

test('the next page begins with the key right after the last, and leaves none out', () => {
  expect(afterKey('a') > 'a').toBe(true)
  expect(afterKey('a') < 'a\u0001').toBe(true)
})

test('a key that is not text is shown as what it is', () => {
  expect(keyText({ keyBase64: '/wA=' })).toBe('base64:/wA=')
  expect(keyText({ key: 'a' })).toBe('a')
})

test('keys of the blocks are told apart from those of users', () => {
  expect(isInternal('/althing/locks/a')).toBe(true)
  expect(isInternal('/althingx')).toBe(false)
})
