import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { Child } from '../processes/support/child.ts'
import type { Mutation } from './mutations.ts'
import { plantInBuild, plantInSources } from './plant.ts'

/** What came of one planted mistake. */
export interface Hunt {
  readonly mutation: Mutation
  readonly seconds: number
  /** Which the simulator has run, up to the first that broke an invariant. */
  readonly seeds: number
  readonly virtualMs: number
  /** The first invariant to break. */
  readonly invariant?: string
  /** Of the test that is to find it. */
  readonly failedTests: number
}

type Catch = Omit<Hunt, 'mutation' | 'seconds'>

/** Plants the mistake in a copy, and lets the simulator look for it within so many seeds, or the test that is named. Rejects when either gives no answer. */
export async function hunt(mutation: Mutation, seedsMax: number): Promise<Hunt> {
  const { test } = mutation
  const folder = test === undefined ? plantInBuild(mutation) : plantInSources(mutation)
  const startedMs = performance.now()
  try {
    const caught = await (test === undefined ? simulate(folder, mutation, seedsMax) : runTests(folder, test))
    return { mutation, seconds: (performance.now() - startedMs) / 1_000, ...caught }
  } catch (error) {
    throw new Error(`${mutation.name}: ${(error as Error).message}`, { cause: error })
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
  }
}

async function simulate(folder: string, { recipe }: Mutation, seedsMax: number): Promise<Catch> {
  const child = Child.script(join(folder, 'dist', 'src', 'cli', 'main.js'), [
    ...['sim', recipe ?? 'store', '--faults', 'all', '--jobs', '1', '--stop-on-first', '--json'],
    ...['--seeds', `1..${seedsMax}`],
  ])
  await child.ended
  const line = child.lines.find((each) => each.startsWith('{"seeds"'))
  if (line === undefined) throw new Error(`the simulator gave no answer:\n${child.errors}`)
  const { seeds, virtualMs, failed } = JSON.parse(line) as {
    readonly seeds: number
    readonly virtualMs: number
    readonly failed: readonly { readonly violation: { readonly invariant: string } }[]
  }
  const invariant = failed[0]?.violation.invariant
  return { seeds, virtualMs, failedTests: 0, ...(invariant === undefined ? {} : { invariant }) }
}

async function runTests(folder: string, test: string): Promise<Catch> {
  const report = join(folder, 'report.json')
  const child = Child.script(
    join(folder, 'node_modules', 'vitest', 'vitest.mjs'),
    ['run', '--project', 'unit', '--reporter', 'json', '--outputFile', report, join('src', test)],
    { cwd: folder },
  )
  await child.ended
  const counts = existsSync(report)
    ? (JSON.parse(readFileSync(report, 'utf8')) as { numTotalTests: number; numFailedTests: number })
    : undefined
  // A file that does not even load has no tests: that is a mistake in the table, and none that was found.
  if (counts === undefined || counts.numTotalTests === 0)
    throw new Error(`the tests gave no answer:\n${child.errors}`)
  return { seeds: 0, virtualMs: 0, failedTests: counts.numFailedTests }
}
