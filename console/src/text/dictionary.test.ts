import { describe, expect, test } from 'vitest'
import { en } from './en.ts'
import { fillIn, placeholders, type TextKey } from './fill-in.ts'
import { initialLanguage } from './language.ts'
import { zh } from './zh.ts'

const keys = Object.keys(en) as TextKey[]

describe('the dictionaries', () => {
  test('have the same keys, in the same order', () => {
    expect(Object.keys(zh)).toEqual(keys)
  })

  test('have no empty text', () => {
    expect(keys.filter((key) => en[key].trim() === '' || zh[key].trim() === '')).toEqual([])
  })

  test('have the same values to fill in', () => {
    expect(keys.filter((key) => placeholders(en[key]).join() !== placeholders(zh[key]).join())).toEqual([])
  })

  test('are each in their own language', () => {
    const universal: readonly TextKey[] = ['value.json', 'fault.label']
    const isChinese = (text: string) => /\p{Script=Han}/u.test(text)
    expect(keys.filter((key) => isChinese(en[key]))).toEqual([])
    expect(keys.filter((key) => !isChinese(zh[key]) && !universal.includes(key))).toEqual([])
  })
})

test('filling in leaves alone what has no value', () => {
  expect(fillIn('{a} of {b}, {a}', { a: 1 })).toBe('1 of {b}, 1')
})

test('the language is the one chosen before, else the first of the browser that there is, else English', () => {
  expect(initialLanguage('zh', ['en'])).toBe('zh')
  expect(initialLanguage(null, ['fr-FR', 'zh-Hans-CN', 'en'])).toBe('zh')
  expect(initialLanguage('klingon', ['en-US', 'zh'])).toBe('en')
  expect(initialLanguage(null, ['fr'])).toBe('en')
})
