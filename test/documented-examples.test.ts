import { readdirSync } from 'node:fs'
import path from 'node:path'
import { expect, test, vi } from 'vitest'
import { readText, root } from './architecture/source-tree.ts'

/** What each program in docs/examples prints, by the page of docs/blocks that shows it. The README's is in readme.test.ts. */
const printed: Readonly<Record<string, readonly unknown[][]>> = {
  barrier: [['all 3 are there'], ['all have left'], ['open']],
  checker: [['violation'], [true]],
  conformance: [
    ['6 passed, 0 failed, 11 do not apply'],
    ["the engine does not claim 'durable'"],
    ['as the model'],
  ],
  'consistent-hashing': [[true, 3, true], [true], [2, true]],
  'counter-and-atomic': [[43n], [true], [{ requests: 200 }]],
  config: [
    [10, 'north', 2],
    ['pool'],
    [20],
    ['pool', { value: 20, isSecret: false }, { value: 10, isSecret: false }],
  ],
  'counters-crdt': [[7n, 7n]],
  cron: [['manual run succeeded: {"sent":42}'], [true]],
  discovery: [[['api-1 at 10.0.0.3:80']], ['ask api-1'], ['nobody is left']],
  election: [['node-2 leads: 10.0.0.2:80, term grew: true']],
  elections: [
    [['3'], 'a leader in every part', 'a leader where a majority is'],
    ['node-1', true],
  ],
  'failure-detection': [
    [false, true],
    [false, true],
  ],
  gateway: [[503]],
  ids: [[true, true, 19], ['billing-1'], ['1,2,3'], [true, 'uuid']],
  fencing: [[204], [204, 412, '/sent'], ['stale-token', '42 invoices']],
  lock: [[null], [2]],
  'multi-lock': [[['accounts/42', 'accounts/7'], null]],
  'read-write-lock': [[true], [null], ['write']],
  semaphore: [
    [1, null],
    [10, 10],
  ],
  'logical-clocks': [[-1], ['concurrent', 'before', 'after'], ['concurrent', 1], [true, 10_000_000]],
  membership: [[['b alive', 'a alive']]],
  simulator: [[true, 2]],
  tree: [['/workers/w-0000000000'], [1, 'children-changed'], [['w-0000000001']]],
  store: [
    [true, ['stock/apples 2', 'stock/pears 5']],
    ['stock/figs', 7],
  ],
}

const pages = readdirSync(path.join(root, 'docs/blocks')).map((file) => file.replace(/\.md$/, ''))

/** The complete programs that a page shows: what it fences as TypeScript. */
function programs(page: string): string[] {
  return [...readText(`docs/blocks/${page}.md`).matchAll(/```ts\n([\s\S]*?)```/g)].map(
    ([, code]) => code as string,
  )
}

test('what a page shows as a program is the file of docs/examples that is run here', () => {
  const shown = pages.filter((page) => programs(page).length > 0)
  expect(shown.toSorted()).toEqual(Object.keys(printed).toSorted())
  for (const page of shown)
    expect([page, ...programs(page)]).toEqual([page, readText(`docs/examples/${page}.ts`)])
})

test.each(Object.entries(printed))('the example of %s runs and prints what it says', async (page, lines) => {
  const log = vi.spyOn(console, 'log').mockImplementation(() => {})
  try {
    await import(`../docs/examples/${page}.ts`)
    expect(log.mock.calls).toEqual(lines)
  } finally {
    log.mockRestore()
  }
})

test('the index names every page', () => {
  const index = readText('docs/README.md')
  expect(pages.filter((page) => !index.includes(`(blocks/${page}.md)`))).toEqual([])
})
