import { expect, test } from 'vitest'
import type { Figure } from '../figure.ts'
import { tableOfEngines } from './engine-report.ts'

const rate: Pick<Figure, 'unit' | 'better'> = { unit: 'op/s', better: 'more' }

test('one column for each engine, a ratio for each bare client, and a dash where there is none', () => {
  const table = tableOfEngines([
    { engine: 'memory', figures: [{ name: 'put', ...rate, ours: [50, 70, 60], peer: [] }] },
    {
      engine: 'etcd',
      figures: [
        { name: 'put', ...rate, ours: [10, 20, 30], peer: [20, 20, 20] },
        { name: 'put, beside bare with history', ...rate, ours: [10, 20, 30], peer: [10, 10, 10] },
      ],
    },
  ])
  expect(table.split('\n')).toEqual([
    '                                      memory  etcd',
    'put                             op/s    60.0  20.0',
    'put, beside bare               ratio       -  1.00',
    'put, beside bare with history  ratio       -  2.00',
  ])
})
