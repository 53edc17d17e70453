import { describe, expect, test, vi } from 'vitest'
import { readText } from './architecture/source-tree.ts'

const example = readText('docs/examples/first-steps.ts')

describe('the README', () => {
  test.each(['README.md', 'README.zh-CN.md'])('%s shows the example as it is', (file) => {
    const shown = /```ts\n([\s\S]*?)```/.exec(readText(file))?.[1]
    expect(shown).toBe(example)
  })

  test('the example runs', async () => {
    const log = vi.spyOn(console, 'log').mockImplementation(() => {})
    await import('../docs/examples/first-steps.ts')
    expect(log.mock.calls).toEqual([[expect.stringMatching(/^limit 20, held: true, fencing token \d+$/)]])
  })

  test.each(['README.md', 'README.zh-CN.md'])('every script that %s names exists', (file) => {
    const { scripts } = JSON.parse(readText('package.json')) as { scripts: Readonly<Record<string, string>> }
    const named = [
      ...readText(file).matchAll(/(?:npm (?:run )?|`)((?:start|test|verify|fix|bench)(?::\w+)?)\b/g),
    ]
    expect(named.length).toBeGreaterThan(5)
    for (const [, name] of named) expect(Object.keys(scripts)).toContain(name)
  })
})
