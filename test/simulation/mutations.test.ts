import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { mutations } from '../mutations/mutations.ts'

const sourceUrl = (file: string): URL => new URL(`../../src/${file}`, import.meta.url)

describe('the known mistakes', () => {
  test('are at least forty, each with a name of its own and something that finds it', () => {
    expect(mutations.length).toBeGreaterThanOrEqual(40)
    expect(new Set(mutations.map(({ name }) => name)).size).toBe(mutations.length)
    for (const { name, expected = [], test: file } of mutations)
      expect(file === undefined ? expected.length > 0 : existsSync(sourceUrl(file)), name).toBe(true)
  })

  test.each(mutations)('$name changes one place of the sources', ({ file, find, replace }) => {
    const source = readFileSync(sourceUrl(file), 'utf8')
    expect(source.split(find).length - 1).toBe(1)
    expect(replace).not.toBe(find)
  })
})
