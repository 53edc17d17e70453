import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { runSimCommand, type SimOptions, type SimSubject } from './sim-command.ts'

const base: SimOptions = { seeds: '1', faults: 'none', jobs: '1', nodes: '3', seconds: '5' }

async function run(
  options: Partial<SimOptions>,
  what: SimSubject = 'store',
): Promise<{ code: number; out: string }> {
  let out = ''
  const terminal = { out: (text: string) => void (out += text), error: () => {} }
  const code = await runSimCommand(what, { ...base, ...options }, terminal)
  return { code, out }
}

describe('althing sim store', () => {
  test('runs seeds and tells what happened, twice the same', async () => {
    const { code, out } = await run({ seeds: '1..2', twice: true })
    expect(code).toBe(0)
    expect(out).toMatch(/^2 seeds in .* seeds\/s, .* simulated hours/)
    expect(out).toContain('every invariant held')
  })

  test('gives one JSON object for programs', async () => {
    const { out } = await run({ faults: 'pause,delay', json: true })
    expect(JSON.parse(out)).toMatchObject({
      seeds: 1,
      failed: [],
      unknown: [],
      virtualMs: expect.any(Number),
    })
  })

  test('writes a trace of one seed, one object a line', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'althing-'))
    try {
      const trace = path.join(folder, 'trace.jsonl')
      await run({ trace })
      const lines = readFileSync(trace, 'utf8').trimEnd().split('\n')
      expect(lines.length).toBeGreaterThan(100)
      expect(JSON.parse(lines[0] as string)).toMatchObject({ event: 'start', life: 1, role: 'follower' })
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  test.each([
    [{ seeds: '5..1' }, 'a range of seeds FIRST..LAST'],
    [{ seeds: 'x' }, 'a range of seeds FIRST..LAST'],
    [{ seeds: '1..' }, '--seeds'],
    [{ faults: 'gremlins' }, 'gremlins'],
    [{ nodes: '4' }, '--nodes'],
    [{ seeds: '1..2', trace: 'x' }, '--trace'],
  ])('refuses %o', async (options, named) => {
    await expect(run(options)).rejects.toMatchObject({
      code: 'invalid-argument',
      message: expect.stringContaining(named),
    })
  })
})

describe('althing sim RECIPE', () => {
  const recipe = { seconds: '3' }

  test.each(['local', 'cluster'])(
    'runs the users of a recipe on engine %s, twice the same',
    async (engine) => {
      const { code, out } = await run({ ...recipe, engine, twice: true }, 'lock')
      expect(code).toBe(0)
      expect(out).toContain('every invariant held')
      expect(out).toMatch(/reached: .*rightsGiven [1-9]/)
    },
  )

  test('refuses an engine that it does not have', async () => {
    await expect(run({ ...recipe, engine: 'etcd' }, 'lock')).rejects.toMatchObject({
      code: 'invalid-argument',
      message: expect.stringContaining('--engine'),
    })
  })
})
