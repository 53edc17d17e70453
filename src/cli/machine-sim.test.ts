import { describe, expect, test } from 'vitest'
import { type MachineName, type MachineSimOptions, runMachineSim } from './machine-sim.ts'

async function run(
  machine: MachineName,
  options: Partial<MachineSimOptions>,
): Promise<{ code: number; out: string }> {
  let out = ''
  const terminal = { out: (text: string) => void (out += text), error: () => {} }
  const code = await runMachineSim(machine, { seeds: '1', faults: 'all', ...options }, terminal)
  return { code, out }
}

describe('althing sim of a machine', () => {
  test.each(['bully', 'ring', 'chord'] as const)(
    'runs seeds of %s and says what came of them',
    async (machine) => {
      const { code, out } = await run(machine, { seeds: '1..2', nodes: '6', seconds: '10' })
      expect([code, out]).toEqual([
        0,
        expect.stringMatching(/^2 seeds in .* messages\nall that is promised held\n$/),
      ])
    },
  )

  test('gives one JSON object for programs, the same for the same seed', async () => {
    const options = { seeds: '7', faults: 'crash, loss', json: true }
    const [a, b] = [await run('ring', options), await run('ring', options)].map(({ out }) => JSON.parse(out))
    expect(a).toMatchObject({ seeds: 1, failed: [], replay: [], messages: expect.any(Number) })
    expect(a.messages).toBe(b.messages)
  })

  test.each([
    ['--faults', { faults: 'crash,flood' }],
    ['--nodes', { nodes: '5' }],
    ['--seeds', { seeds: '9..1' }],
  ])('refuses a wrong %s before it begins', async (field, wrong) => {
    await expect(run('chord', wrong)).rejects.toMatchObject({
      code: 'invalid-argument',
      message: expect.stringContaining(field),
    })
  })
})
