import { describe, expect, test } from 'vitest'
import { Durability } from './durability.ts'

describe('durability', () => {
  test('counts a write when it ends, and all before it', () => {
    const durability = new Durability(3)
    durability.begin(4, false)
    durability.begin(6, false)
    durability.begin(7, false)
    expect(durability.persistedIndex).toBe(3)
    durability.complete(2)
    expect(durability.persistedIndex).toBe(6)
    durability.complete(1)
    expect(durability.persistedIndex).toBe(6)
  })

  test('entries overwritten and written again while the first write is under way count only with the last', () => {
    const durability = new Durability(0)
    const first = durability.begin(5, false)
    durability.truncated(4)
    const second = durability.begin(4, false)
    durability.truncated(4)
    const third = durability.begin(5, false)
    durability.complete(first)
    expect(durability.persistedIndex).toBe(3)
    durability.complete(second)
    expect(durability.persistedIndex).toBe(3)
    durability.complete(third)
    expect(durability.persistedIndex).toBe(5)
  })

  test('a claim waits for the first write that has the entry, and for nothing once it is durable', () => {
    const durability = new Durability(1)
    durability.begin(3, false)
    durability.begin(5, false)
    expect([1, 2, 3, 4, 5].map((index) => durability.entriesBarrier(index))).toEqual([0, 1, 1, 2, 2])
    durability.complete(1)
    expect(durability.entriesBarrier(3)).toBe(0)
    expect(() => durability.entriesBarrier(6)).toThrow('what is not durable is being written')
  })

  test('term and vote hold messages back until they are durable', () => {
    const durability = new Durability(0)
    durability.begin(0, true)
    durability.begin(1, false)
    expect(durability.hardStateBarrier).toBe(1)
    durability.complete(1)
    expect(durability.hardStateBarrier).toBe(0)
  })

  test('after a snapshot no write of the log before counts', () => {
    const durability = new Durability(0)
    durability.begin(9, false)
    durability.replaced(5)
    durability.complete(1)
    expect(durability.persistedIndex).toBe(5)
  })
})
