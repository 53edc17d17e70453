import { describe, expect, test } from 'vitest'
import { Simulation } from '../../../testing/world/simulation.ts'
import { joinCluster } from './join-cluster.ts'

describe('a node that is not let in', () => {
  test('asks on, and says so once for each member and reason', async () => {
    const simulation = new Simulation({ seed: 1 })
    let isOver = false
    const process = simulation.process('node3', async (world) => {
      const members = [1, 2, 3].map((id) => ({ id, address: `node${id}:7400` }))
      const self = { world, clusterId: 'c', id: 3, secret: 's', storageId: 'd', address: 'node3:7400' }
      await joinCluster({ ...self, members, isOver: () => isOver })
    })
    await simulation.runUntil(20_000)
    isOver = true
    await simulation.runUntil(40_000)
    const said = process.log.lines.filter(({ message }) => message === 'not yet admitted to the cluster')
    expect(said.map(({ level, fields }) => [level, /node\d/.exec(String(fields?.['reason']))?.[0]])).toEqual([
      ['warn', 'node1'],
      ['warn', 'node2'],
    ])
  })
})
