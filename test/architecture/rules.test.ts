import { describe, expect, test } from 'vitest'
import { importCycles } from './cycles.ts'
import { forbiddenUses } from './forbidden.ts'
import { longFunctions } from './function-length.ts'
import { appViolations, barrelViolations, consoleViolations, layerViolations } from './layers.ts'
import { nameViolations } from './names.ts'
import { parseSource } from './source-tree.ts'
import { tracesIn } from './tracked-text.ts'

const source = (path: string, ...lines: string[]) => parseSource(path, lines.join('\n'))

describe('the rules themselves', () => {
  test('an import against the layers is found, type or value', () => {
    const file = source(
      'src/protocols/raft/raft.ts',
      "import { assert } from '../../base/assert.ts'",
      "import type { Group } from '../../replication/group.ts'",
    )
    expect(layerViolations([file])).toEqual([
      expect.stringMatching(/^src\/protocols\/raft\/raft\.ts:2 imports src\/replication/),
    ])
  })

  test('testing is imported by no other part of the library', () => {
    const file = source('src/engines/local/engine.ts', "export { x } from '../../testing/world/world.ts'")
    expect(layerViolations([file])).toHaveLength(1)
  })

  test('blocks may import coordination, but no engine', () => {
    const good = source('src/messaging/queue.ts', "import { Lock } from '../coordination/lock.ts'")
    const bad = source('src/messaging/queue.ts', "import { open } from '../engines/open.ts'")
    expect(layerViolations([good])).toEqual([])
    expect(layerViolations([bad])).toHaveLength(1)
  })

  test('a new folder must be given a place', () => {
    expect(layerViolations([source('src/sundry/x.ts', "import './y.ts'")])).toEqual([
      expect.stringContaining('has no place in the layers'),
    ])
  })

  test('an app reaches the library by its name only', () => {
    const good = source('apps/agora/main.ts', "import { open } from 'althing'", "import './timeline.ts'")
    const bad = source('apps/agora/main.ts', "import { open } from '../../src/engines/open.ts'")
    expect(appViolations([good])).toEqual([])
    expect(appViolations([bad])).toHaveLength(1)
  })

  test('the console reaches the library for types only', () => {
    const from = (keyword: string) =>
      source(
        'console/src/members.ts',
        `${keyword} { NodeStatus } from '../../src/engines/cluster/node-status.ts'`,
      )
    expect(consoleViolations([from('import type')])).toEqual([])
    expect(consoleViolations([from('import')])).toHaveLength(1)
  })

  test('a circle of value imports is found; one closed by a type import is none', () => {
    const a = source('src/base/a.ts', "import { b } from './b.ts'")
    const b = source('src/base/b.ts', "import { c } from './c.ts'")
    const c = (keyword: string) => source('src/base/c.ts', `${keyword} { a } from './a.ts'`)
    expect(importCycles([a, b, c('import')])).toEqual([
      ['src/base/a.ts', 'src/base/b.ts', 'src/base/c.ts', 'src/base/a.ts'],
    ])
    expect(importCycles([a, b, c('import type')])).toEqual([])
  })

  test('an inner index.ts, and an import through a public one, are found', () => {
    const inner = source('src/testing/history/index.ts')
    const outer = source('src/coordination/index.ts')
    const through = source('src/node/node.ts', "import { Lock } from '../coordination/index.ts'")
    expect(barrelViolations([inner, outer, through], ['coordination'])).toEqual([
      expect.stringMatching(/^src\/testing\/history\/index\.ts: no barrels/),
      expect.stringMatching(/^src\/node\/node\.ts:1 imports/),
    ])
  })

  test.each([
    ['const now = Date.now()', 'Date'],
    ['const at = new Date()', 'Date'],
    ['const dice = Math.random()', 'Math.random'],
    ['setTimeout(() => {}, 5)', 'setTimeout'],
    ['globalThis.setInterval(f, 5)', 'setInterval'],
    ['const pass = { setImmediate }', 'setImmediate'],
    ['const t = performance.now()', 'performance'],
    ['const t = process.hrtime.bigint()', 'process.hrtime'],
    ['const id = crypto.randomUUID()', 'crypto'],
    ['const s = AbortSignal.timeout(5)', 'AbortSignal.timeout'],
    ["import { readFile } from 'node:fs/promises'", 'node:fs/promises'],
    ["import net from 'net'", 'imports net'],
    ["import { randomBytes } from 'node:crypto'", 'node:crypto'],
    ["const ws = await import('ws')", 'imports ws'],
  ])('outside the worlds, %s is found', (line, name) => {
    const found = forbiddenUses([source('src/replication/group.ts', line)])
    expect(found).toHaveLength(1)
    expect(found[0]).toContain(name)
    expect(found[0]).toMatch(/; use ./)
    expect(forbiddenUses([source('src/world/node-world.ts', line)])).toEqual([])
    expect(forbiddenUses([source('src/testing/world/clock.ts', line)])).toEqual([])
  })

  test.each([
    'interface Row { Date: number; readonly performance: string }',
    'function at(date: Date): Date { return date }',
    'const row = { Date: 1, setTimeout: 2 }; row.setTimeout',
    'function run(setTimeout: () => void) { setTimeout() }',
    "import { createHash } from 'node:crypto'",
    "import type { Socket } from 'node:net'",
    'const half = Math.floor(1.5)',
  ])('%s is no use of the outside', (line) => {
    expect(forbiddenUses([source('src/replication/group.ts', line)])).toEqual([])
  })

  test('a composition root may start servers and processes, but has no time of its own', () => {
    const lines = [
      "import { spawn } from 'node:child_process'",
      "import http from 'node:http'",
      'setTimeout(f, 1)',
    ]
    expect(forbiddenUses([source('src/cli/up.ts', ...lines)])).toEqual([
      expect.stringContaining('src/cli/up.ts:3 uses setTimeout'),
    ])
  })

  test('the client library of an engine is for its folder alone, and brings no time or randomness with it', () => {
    const library = "const grpc = await import('@grpc/grpc-js')"
    const own = source('src/engines/etcd/x.ts', library, 'const id = Math.random()')
    expect(forbiddenUses([own])).toEqual([
      expect.stringContaining('src/engines/etcd/x.ts:2 uses Math.random'),
    ])
    for (const path of ['src/coordination/locks/lock.ts', 'src/engines/cluster/x.ts', 'src/node/x.ts'])
      expect(forbiddenUses([source(path, library)])).toEqual([
        expect.stringContaining('src/engines/etcd/ alone'),
      ])
  })

  test('names that say nothing, and names in another case, are found', () => {
    expect(
      nameViolations(['src/base/utils.ts', 'src/base/hashRing.ts', 'src/base/hash-ring.test.ts']),
    ).toHaveLength(2)
  })

  test('a function over sixty lines is found with its name', () => {
    const body = Array.from({ length: 60 }, (_, n) => `  step(${n})`)
    const long = source('src/base/a.ts', 'export function deliver() {', ...body, '}')
    const short = source('src/base/a.ts', 'export function deliver() {', ...body.slice(2), '}')
    expect(longFunctions([long])).toEqual([{ file: 'src/base/a.ts', name: 'deliver', line: 1, lines: 62 }])
    expect(longFunctions([short])).toEqual([])
  })

  test('paths of one machine and registries are found in text', () => {
    const slash = '/'
    const registry = ['https:', '', ['registry', 'example.org'].join('.'), 'x'].join(slash)
    expect(tracesIn('a.md', `see ${slash}root${slash}notes`)).toHaveLength(1)
    expect(tracesIn('a.md', `from ${registry}`)).toHaveLength(1)
    expect(tracesIn('a.md', 'GET /home and https://example.org/root/x')).toEqual([])
  })
})
