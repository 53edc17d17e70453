import { describe, expect, test } from 'vitest'
import { processorSeconds, ticksFrom } from './processor-time.ts'

describe('processor time of a process', () => {
  test('is user and kernel time, whatever the name of the program', () => {
    const head = '42 (a ) b (c)) S 1 42 42 0 -1 4194304 100 0 0 0'
    expect(ticksFrom(`${head} 17 5 0 0 20 0 11 0`)).toBe(22)
  })

  test('of a process that is gone is not a number', () => {
    expect(processorSeconds([2 ** 22 + 1])).toBeNaN()
  })

  test.runIf(process.platform === 'linux')('of this process is about what it says itself', () => {
    const { user, system } = process.cpuUsage()
    expect(Math.abs(processorSeconds([process.pid]) - (user + system) / 1e6)).toBeLessThan(0.5)
  })
})
