// The tests of the tests: a few known mistakes, planted in a copy of the build and of the sources. `npm run mutations` plants them all.
import { afterAll, describe, expect, test } from 'vitest'
import { hunt } from '../mutations/hunt.ts'
import type { Mutation } from '../mutations/mutations.ts'
import { mutated } from '../mutations/plant.ts'
import { isFound, verdictOf } from '../mutations/verdict.ts'
import { built, Child, killAllChildren } from './support/child.ts'
import { removeScratchFolders } from './support/scratch-folder.ts'

afterAll(async () => {
  await killAllChildren()
  removeScratchFolders()
})

/** Changes a text that nobody reads. */
const harmless: Mutation = {
  name: 'harmless',
  file: 'access/login-guard.ts',
  find: 'too many failed sign-ins from this address: wait',
  replace: 'wait: too many failed sign-ins from this address',
  source: 'nobody',
}

async function runMutations(...args: string[]): Promise<{ code: number | null; output: string }> {
  const child = Child.script(built('test/mutations/main.js'), ['--jobs', '1', ...args])
  const { code } = await child.ended
  return { code, output: `${child.lines.join('\n')}\n${child.errors}` }
}

describe('known mistakes', () => {
  test('in a quorum, a model, a watch and an access check break the invariant that stands against each', async () => {
    const names = [
      'quorum-one-short',
      'command-applied-twice',
      'watch-repeats-when-it-resumes',
      'access-not-checked',
    ]
    const { code, output } = await runMutations('--only', names.join(','), '--seeds', '60')
    expect(output).toContain('4 of 4 mistakes found within 60 seeds')
    expect(code).toBe(0)
  })

  test('in the form of a message fail the test that is named', async () => {
    const { code, output } = await runMutations('--only', 'groups-mixed-up-on-the-wire')
    expect(output).toMatch(/groups-mixed-up-on-the-wire +[1-9]\d* of its tests/)
    expect(code).toBe(0)
  })
})

describe('a mistake that is not found', () => {
  test('is reported, and ends the run with exit code 1', async () => {
    const { code, output } = await runMutations('--only', 'first-command-without-session', '--seeds', '1')
    expect(output).toMatch(/first-command-without-session +NOT FOUND/)
    expect(output).toContain('0 of 1 mistakes found')
    expect(code).toBe(1)
  })

  test('is what a change without effect is, for the simulator and for the tests', async () => {
    const simulated = await hunt({ ...harmless, expected: ['access-is-refused'] }, 1)
    expect([simulated.seeds, verdictOf(simulated), isFound(simulated)]).toEqual([1, 'NOT FOUND', false])
    const tested = await hunt({ ...harmless, test: 'access/login-guard.test.ts' }, 1)
    expect([tested.failedTests, verdictOf(tested), isFound(tested)]).toEqual([0, 'NOT FOUND', false])
  })

  test('is one that breaks another invariant than those expected', () => {
    const mutation = { ...harmless, expected: ['access-is-refused'] }
    const other = { mutation, seconds: 1, seeds: 3, virtualMs: 9, failedTests: 0, invariant: 'no-crash' }
    expect([verdictOf(other), isFound(other)]).toEqual(['no-crash (UNEXPECTED)', false])
  })

  test('is not what a mistake is that could not be planted: that is an error', async () => {
    expect(() => mutated(harmless, 'another source')).toThrow('occurs 0 times in src/access/login-guard.ts')
    const syntax = { ...harmless, replace: "'", test: 'access/login-guard.test.ts' }
    await expect(hunt(syntax, 1)).rejects.toThrow('harmless: the tests gave no answer')
    const { code, output } = await runMutations('--only', 'no-such-mistake')
    expect(output).toContain('no mistake is chosen by --only no-such-mistake')
    expect(code).toBe(1)
  })
})
