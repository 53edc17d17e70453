import { expect, test } from 'vitest'
import type { World } from '../../contracts/world.ts'
import { answerHttp } from './probe-port.ts'
import { Simulation } from './simulation.ts'

async function outcomes(seed: number, cutAtMs?: number): Promise<Record<string, unknown>> {
  const simulation = new Simulation({ seed })
  const results: Record<string, unknown> = {}
  const told = async (name: string, asking: Promise<unknown>): Promise<void> => {
    results[name] = await asking.catch((error: { code: string }) => error.code)
  }
  simulation.process('b', async (world) => {
    await answerHttp(world, 'b:80', ({ url }) => {
      if (url.endsWith('/slow')) return new Promise(() => {})
      return { status: url.endsWith('/sick') ? 503 : 200, text: url }
    })
  })
  await simulation.runUntil(50)
  const commands = ([name]: readonly string[]) =>
    name === 'check' ? { exitCode: 1, output: 'no', takesMs: 200 } : undefined
  const ask = async ({ probes }: World): Promise<void> => {
    const limit = { timeoutMs: 1_000 }
    await told('well', probes.http({ url: 'http://b/' }, limit))
    await told('sick', probes.http({ url: 'http://b/sick' }, limit))
    await told('slow', probes.http({ url: 'http://b/slow' }, limit))
    await told('tcp', probes.tcp('b:80', limit))
    await told('refused', probes.tcp('b:81', limit))
    await told('command', probes.command(['check'], limit))
    await told('late', probes.command(['check'], { timeoutMs: 100 }))
    await told('missing', probes.command(['other'], limit))
    results['over'] = true
  }
  simulation.process('a', ask, { commands })
  if (cutAtMs !== undefined) simulation.after(cutAtMs, () => void simulation.network.isolate('b'))
  await simulation.runUntil(() => results['over'] === true)
  return results
}

test('HTTP, TCP and programs of a simulated machine', async () => {
  expect(await outcomes(1)).toMatchObject({
    well: { status: 200, text: 'http://b/' },
    sick: { status: 503 },
    slow: 'timeout',
    tcp: undefined,
    refused: 'unavailable',
    command: { exitCode: 1, output: 'no' },
    late: 'timeout',
    missing: 'not-found',
  })
})

test('a machine that is cut off does not answer in time', async () => {
  expect(await outcomes(1, 0)).toMatchObject({
    well: 'timeout',
    sick: 'timeout',
    tcp: 'timeout',
    command: { exitCode: 1 },
  })
})
