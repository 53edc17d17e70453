import { readdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { declaredSetUps } from '../src/engines/declared-set-ups.ts'
import { readText, root } from './architecture/source-tree.ts'
import { capabilityMatrix, matrixEnd, matrixStart } from './engines/capability-matrix.ts'

const page = 'docs/engines/README.md'

/** The page with the tables as the engines declare them. */
function written(text: string): string {
  const [before, rest] = text.split(matrixStart)
  const after = rest?.split(matrixEnd)[1]
  if (after === undefined) throw new Error(`${page} has not the lines ${matrixStart} and ${matrixEnd}`)
  return `${before}${matrixStart}\n\n${capabilityMatrix()}\n\n${matrixEnd}${after}`
}

test('the tables of the engines are what the engines declare (npm run fix writes them)', () => {
  const text = readText(page)
  if (process.env['ALTHING_WRITE_PAGES'] === '1') writeFileSync(path.join(root, page), written(text))
  expect(readText(page)).toBe(written(text))
})

test('a declaration that changes changes the tables', () => {
  const [first, ...others] = declaredSetUps
  if (first === undefined) throw new Error('no engine declares anything')
  const weaker = { ...first, capabilities: { ...first.capabilities, fencing: false } }
  expect(capabilityMatrix([weaker, ...others])).not.toBe(capabilityMatrix())
  expect(capabilityMatrix([weaker])).toContain('lacks `fencing`')
})

test('every engine has declared a set-up, and its page is named where engines are chosen', () => {
  const folders = readdirSync(path.join(root, 'src/engines'), { withFileTypes: true })
  const declared = new Set(declaredSetUps.map(({ engine }) => engine.toLowerCase()))
  const engines = folders.filter((each) => each.isDirectory()).map(({ name }) => name)
  expect(engines.filter((name) => ![...declared].some((each) => each.startsWith(name)))).toEqual([])
  const pages = readdirSync(path.join(root, 'docs/engines')).filter((file) => file !== 'README.md')
  expect(pages.filter((file) => !readText(page).includes(`(${file})`))).toEqual([])
})
