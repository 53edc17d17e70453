import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { mutations } from '../mutations/mutations.mjs'

describe('the known mistakes', () => {
  test('are at least a dozen, each with a name of its own', () => {
    expect(mutations.length).toBeGreaterThanOrEqual(12)
    expect(new Set(mutations.map(({ name }) => name)).size).toBe(mutations.length)
  })

  test.each(mutations)('$name changes one place of the sources', ({ file, find, replace }) => {
    const source = readFileSync(new URL(`../../src/${file}`, import.meta.url), 'utf8')
    expect(source.split(find).length - 1).toBe(1)
    expect(replace).not.toBe(find)
  })
})
