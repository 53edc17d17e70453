import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { mutations } from './mutations/mutations.ts'

const sources = join(import.meta.dirname, '..', 'src')

test.each(mutations)('$name still finds the place where it is planted', ({ file, find }) => {
  expect(readFileSync(join(sources, file), 'utf8').split(find).length - 1).toBe(1)
})
