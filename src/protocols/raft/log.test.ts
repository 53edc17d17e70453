import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { RaftLog } from './log.ts'
import { entry } from './raft-driver.testkit.ts'
import type { Entry } from './types.ts'

const voters = { voters: [1] }
const entriesOf = (from: number, terms: readonly number[]) => terms.map((term, at) => entry(from + at, term))

describe('log', () => {
  test('gives as many entries as fit, but at least one', () => {
    const log = new RaftLog(0, 0, entriesOf(1, [1, 1, 1, 1]))
    const indexes = (bytesMax: number) => log.entries(2, 4, bytesMax).map(({ index }) => index)
    expect(indexes(1)).toEqual([2])
    expect(indexes(64)).toEqual([2, 3])
    expect(indexes(1_000)).toEqual([2, 3, 4])
  })

  test('gives the same array for the same entries, so that one encoding serves all followers', () => {
    const log = new RaftLog(0, 0, entriesOf(1, [1, 1, 1]))
    const added = entriesOf(4, [2, 2])
    log.append(added)
    expect(log.entries(4, 5, 1_000)).toBe(added)
    expect(log.entries(2, 3, 1_000)).toBe(log.entries(2, 3, 1_000))
    log.truncateFrom(3)
    log.append(entriesOf(3, [3]))
    expect(log.entries(2, 3, 1_000).map(({ term }) => term)).toEqual([1, 3])
  })

  test('refuses entries that leave a gap or go back in term', () => {
    const log = new RaftLog(0, 0, entriesOf(1, [2]))
    expect(() => log.append([entry(3, 2)])).toThrow('entries continue the log')
    expect(() => log.append([entry(2, 1)])).toThrow('entries continue the log')
  })

  test('after a start: a snapshot with the entries behind it, or with a kept tail before it', () => {
    const snapshot = { index: 5, term: 2, configuration: voters }
    const restore = (entries: readonly Entry[]) =>
      RaftLog.restore({ hardState: { term: 9, vote: 0 }, snapshot, entries, initialConfiguration: voters })
    expect(restore([])).toMatchObject({ firstIndex: 6, lastIndex: 5, lastTerm: 2 })
    expect(restore(entriesOf(6, [2, 3]))).toMatchObject({ firstIndex: 6, lastIndex: 7, lastTerm: 3 })
    const kept = restore(entriesOf(3, [1, 2, 2, 3]))
    expect(kept).toMatchObject({ firstIndex: 4, lastIndex: 6 })
    expect(kept.term(3)).toBe(1)
    expect(restore(entriesOf(3, [1, 1, 1, 1]))).toMatchObject({ firstIndex: 6, lastIndex: 5 })
    expect(restore(entriesOf(1, [1, 1]))).toMatchObject({ firstIndex: 6, lastIndex: 5 })
    expect(() => restore(entriesOf(7, [2]))).toThrow('no gap between snapshot and log')
  })

  test('agrees with a plain list, whatever is appended, cut off at either end, or asked', () => {
    const action = fc.tuple(fc.constantFrom('append', 'truncate', 'compact'), fc.nat(9))
    fc.assert(
      fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
        const log = new RaftLog(0, 0)
        let terms: number[] = []
        let cut = 0
        for (const [kind, size] of actions) {
          const at = cut + 1 + (size % Math.max(1, terms.length - cut))
          if (kind === 'append') {
            const term = (terms.at(-1) ?? 1) + (size % 3)
            const added = Array.from({ length: size }, () => term)
            log.append(entriesOf(terms.length + 1, added))
            terms = [...terms, ...added]
          } else if (terms.length > cut && kind === 'truncate') {
            log.truncateFrom(at)
            terms = terms.slice(0, at - 1)
          } else if (terms.length > cut) {
            log.compact(at)
            cut = at
          }
          expect(log.firstIndex).toBe(cut + 1)
          expect(log.lastIndex).toBe(terms.length)
          expect(log.entries(cut + 1, terms.length, 1e9).map(({ term }) => term)).toEqual(terms.slice(cut))
          const wanted = (terms.at(-1) ?? 0) - 1
          const found = terms.findIndex((term, position) => position >= cut && term >= wanted)
          expect(log.firstIndexOfTerm(wanted)).toBe(found === -1 ? terms.length + 1 : found + 1)
        }
      }),
      { numRuns: 300, seed: 3 },
    )
  })
})
