import { describe, expect, test } from 'vitest'
import { Simulation } from '../testing/world/simulation.ts'
import { measureDisk } from './measured-disk.ts'
import { RecentQuantile } from './recent-quantile.ts'

describe('a measured disk', () => {
  test('tells of every sync of a file and of nothing else, and does what the disk does', async () => {
    const seen: number[] = []
    let content: number[] = []
    const simulation = new Simulation({ seed: 1 })
    simulation.process('p', async (world) => {
      const disk = measureDisk(world.disk, world.clock, (seconds) => seen.push(seconds))
      const file = await disk.open('file', { create: true })
      await file.write(0, [new Uint8Array([1])])
      await file.sync()
      await file.writeDurably(1, [new Uint8Array([2])])
      await file.close()
      await disk.syncDirectory('')
      content = [...(await disk.read('file'))]
    })
    await simulation.runUntil(1_000)
    expect(content).toEqual([1, 2])
    expect(seen).toHaveLength(2)
    expect(seen.every((seconds) => seconds >= 0 && seconds < 10)).toBe(true)
  })
})

describe('the quantiles of late', () => {
  test('are those of the last values only', () => {
    const recent = new RecentQuantile(4)
    expect(recent.at(0.5)).toBeUndefined()
    for (const value of [1_000, 1, 4, 3, 2]) recent.add(value)
    expect([0, 0.25, 0.5, 0.75, 1].map((q) => recent.at(q))).toEqual([1, 1, 2, 3, 4])
    expect(recent.count).toBe(5)
  })
})
