import { existsSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import { readText, root } from './architecture/source-tree.ts'

interface Row {
  readonly guarantee: string
  readonly file: string
  readonly title: string
}

/** Rows of the tables: guarantee, condition, and `file`: title. */
function rows(): Row[] {
  return readText('docs/guarantees.md')
    .split('\n')
    .filter((line) => /^\| (?!---|guarantee )/.test(line))
    .map((line) => {
      const match = /^\| (.+?) \|.*\| `([^`]+)`: (.+) \|$/.exec(line)
      if (match === null)
        throw new Error(`docs/guarantees.md: not of the form "| ... | ... | \`file\`: title |": ${line}`)
      return { guarantee: match[1] as string, file: match[2] as string, title: match[3] as string }
    })
}

test('every guarantee names a test that exists', () => {
  const missing = rows()
    .filter(({ file, title }) => !existsSync(path.join(root, file)) || !readText(file).includes(title))
    .map(({ guarantee, file, title }) => `${guarantee}: ${file} has no test "${title}"`)
  expect(missing).toEqual([])
  expect(rows().length).toBeGreaterThan(30)
})
