import { existsSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { parseOptions } from '../bench/options.ts'
import { readText, root } from './architecture/source-tree.ts'

const page = readText('docs/comparison.md')
const header = '| feature | Althing | etcd | ZooKeeper | Consul |'

interface Row {
  readonly feature: string
  readonly ours: string
  readonly others: readonly string[]
}

/** The rows of all tables of the comparison. */
function rows(): Row[] {
  const found: Row[] = []
  let isTable = false
  for (const line of page.split('\n')) {
    if (line === header) isTable = true
    else if (!line.startsWith('|')) isTable = false
    else if (isTable && !line.startsWith('| ---')) {
      const [feature = '', ours = '', ...others] = line.slice(2, -2).split(' | ')
      found.push({ feature, ours, others })
    }
  }
  return found
}

/** The tests that a cell links: `[name](../path): *title*`. */
function testsOf(cell: string): { file: string; title: string }[] {
  return [...cell.matchAll(/\]\(\.\.\/([^)]+)\): \*([^*]+)\*/g)].map(([, file, title]) => ({
    file: file as string,
    title: title as string,
  }))
}

function hasTest(file: string, title: string): boolean {
  if (!existsSync(path.join(root, file))) return false
  const text = readText(file)
  return ["'", '"', '`'].some((quote) => text.includes(`${quote}${title}${quote}`))
}

/** What is named under the heading, each in bold. */
function notWon(): string[] {
  const [, section = ''] = page.split('## What we do not win\n')
  return [...section.matchAll(/^- \*\*(.+?)\*\*:/gm)].map(([, name]) => name as string)
}

describe('the comparison', () => {
  test('has a table for every row, with a cell for each of the four', () => {
    expect(rows().length).toBeGreaterThan(40)
    for (const { feature, others } of rows()) expect([feature, others.length]).toEqual([feature, 3])
    const features = rows().map(({ feature }) => feature)
    expect(new Set(features).size).toBe(features.length)
  })

  test('each of our cells links tests that exist', () => {
    const missing = rows().flatMap(({ feature, ours }) =>
      testsOf(ours)
        .filter(({ file, title }) => !hasTest(file, title))
        .map(({ file, title }) => `${feature}: ${file} has no test "${title}"`),
    )
    expect(missing).toEqual([])
    // A link that is not read as one would be passed over.
    for (const { feature, ours } of rows())
      expect([feature, testsOf(ours).length]).toEqual([feature, ours.split('.test.ts]').length - 1])
  })

  test('every row that no test of ours shows is named among those that we do not win', () => {
    const unshown = rows()
      .filter(({ ours }) => testsOf(ours).length === 0)
      .map(({ feature }) => feature)
    expect(unshown.toSorted()).toEqual(notWon().toSorted())
    expect(unshown.length).toBeLessThanOrEqual(3)
  })

  test('what is said of the others names its source, or that none was found', () => {
    const defined = new Set([...page.matchAll(/^\[([\w-]+)\]: https:\/\/\S+$/gm)].map(([, label]) => label))
    const used = new Set<string>()
    for (const { feature, others } of rows()) {
      for (const cell of others) {
        const labels = [...cell.matchAll(/\]\[([\w-]+)\]/g)].map(([, label]) => label as string)
        expect(labels.length > 0 || /^(none|no figure) found$/.test(cell), `${feature}: ${cell}`).toBe(true)
        for (const label of labels) used.add(label)
      }
    }
    expect([...used].toSorted()).toEqual([...defined].toSorted())
  })

  test('the commands that measure speed are those of the benchmark', () => {
    const commands = [...page.matchAll(/^ {4}npm run bench -- ([^#\n]+)/gm)].map(([, args]) =>
      (args as string).trim().split(/ +/),
    )
    expect(commands.length).toBeGreaterThan(3)
    for (const args of commands.filter(([first]) => first !== '--help'))
      expect(() => parseOptions(args)).not.toThrow()
  })
})
