import { describe, expect, test } from 'vitest'
import type { Cluster, Contender } from '../cluster.ts'
import { ownArea, roundedFigures, tableOfOwn } from './ours-only.ts'

const peer: Contender = {
  name: 'peer',
  unavailable: () => undefined,
  start: () => Promise.reject(new Error('the peer was started')),
}

const options = { area: 'watchers' } as const
const print = (): void => {}

function contender(stopped: string[]): Contender {
  const cluster = { description: 'three members', stop: async () => void stopped.push('ours') }
  return { name: 'ours', unavailable: () => undefined, start: async () => cluster as unknown as Cluster }
}

describe('an area without a peer', () => {
  test('starts our cluster alone, reports what was found, and ends it', async () => {
    const stopped: string[] = []
    const area = ownArea(async () => ({ headline: 1_234.5, unit: 'ms', setup: { keys: 3 } }))
    const result = await area(contender(stopped), peer, options, print)
    expect(result).toEqual({
      area: 'watchers',
      ours: 1_230,
      peer: null,
      ratio: null,
      unit: 'ms',
      setup: { ours: 'three members', peer: 'not asked for', keys: 3 },
    })
    expect(stopped).toEqual(['ours'])
  })

  test('ends the cluster when measuring fails', async () => {
    const stopped: string[] = []
    const failing = ownArea(() => Promise.reject(new Error('lost')))
    await expect(failing(contender(stopped), peer, options, print)).rejects.toThrow('lost')
    expect(stopped).toEqual(['ours'])
  })

  test('says why our cluster cannot run', async () => {
    const absent = { ...contender([]), unavailable: () => 'no build' }
    const running = ownArea(() => Promise.reject(new Error('measured')))
    await expect(running(absent, peer, options, print)).rejects.toThrow('not available: no build')
  })

  test('shows its figures by name, and keeps three digits of each', () => {
    const figures = { 'puts a second': 12_345.6, 'delay, ms': 0.123_45 }
    expect(tableOfOwn('figures', figures).split('\n')).toEqual([
      'figures',
      'puts a second  12,346',
      'delay, ms        0.12',
    ])
    expect(roundedFigures(figures)).toEqual({ 'puts a second': 12_300, 'delay, ms': 0.123 })
  })
})
