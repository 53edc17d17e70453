import { describe, expect, test } from 'vitest'
import { accountOf, lackingGroups, type ListedMember } from './account.ts'
import { Ledger } from './ledger.ts'
import { flatGrowthMax, memoryCourses, type MemorySample } from './memory.ts'
import { Windows } from './windows.ts'

const minute = 60_000

describe('the memory of a node', () => {
  /** Every 5 s for ten minutes. */
  function samples(bytesAt: (share: number) => number, from = 0, to = 1): MemorySample[] {
    return Array.from({ length: 121 }, (_, i) => i / 120)
      .filter((share) => share >= from && share <= to)
      .map((share) => ({ node: 7, atMs: share * 10 * minute, residentBytes: bytesAt(share) }))
  }

  test('is flat when it rose only in the first half', () => {
    const [course] = memoryCourses(
      samples((share) => 100 + Math.min(share, 0.4) * 500),
      10 * minute,
    )
    expect(course).toMatchObject({ node: 7, isFlat: true, growth: 1 })
    expect(course?.residentAt).toEqual({ tenth: 150, half: 300, end: 300 })
  })

  test('is not flat when it still rises at the end, and a single peak does not make it so', () => {
    const [rising] = memoryCourses(
      samples((share) => 100 + share * 100),
      10 * minute,
    )
    expect(rising).toMatchObject({ isFlat: false })
    expect(rising?.growth).toBeGreaterThan(flatGrowthMax)
    const [peaked] = memoryCourses(
      samples((share) => (share === 0.9 ? 1_000 : 100)),
      10 * minute,
    )
    expect(peaked).toMatchObject({ isFlat: true })
  })

  test('is not judged when the node was not there in one of the two fifths', () => {
    const [late] = memoryCourses(
      samples(() => 100, 0.7),
      10 * minute,
    )
    expect(late?.isFlat).toBeUndefined()
    expect(late?.residentAt).toEqual({ end: 100 })
  })
})

describe('the ledger of a key', () => {
  test('allows what was acknowledged last, and nothing before it', () => {
    const ledger = new Ledger()
    expect(ledger.found('k', undefined, 0)).toBeUndefined()
    ledger.acknowledged('k', 'one')
    ledger.acknowledged('k', 'two')
    expect(ledger.found('k', 'two', 0)).toBeUndefined()
    expect(ledger.problemWith('k', 'one')).toContain('the write of "two" was acknowledged')
    expect(ledger.problemWith('k', undefined)).toContain('k was absent')
  })

  test('allows what may have come true although its answer was lost, for ten minutes', () => {
    const ledger = new Ledger()
    ledger.acknowledged('k', 'one')
    ledger.lost('k', 'two', 0)
    expect(ledger.found('k', 'one', minute)).toBeUndefined()
    expect(ledger.found('k', 'two', 2 * minute)).toBeUndefined()
    expect(ledger.found('k', 'one', 3 * minute)).toContain('k was "one"')
    ledger.lost('k', 'three', 3 * minute)
    expect(ledger.found('k', 'three', 14 * minute)).toContain('k was "three"')
  })
})

describe('windows', () => {
  test('have keys of their own, and end when what was begun in them has', async () => {
    let now = 0
    const windows = new Windows('w/', { monotonicMs: () => now++ })
    const first = windows.current
    let end = (): void => {}
    const acting = windows.act(() => new Promise<void>((resolve) => (end = resolve)))
    let isClosed = false
    const closing = windows.rotate().then((closed) => {
      isClosed = true
      return closed
    })
    expect(windows.current.keys.some((key) => first.keys.includes(key))).toBe(false)
    await windows.act(async () => {})
    expect(isClosed).toBe(false)
    end()
    await acting
    expect(await closing).toBe(first)
    const { key, end: last } = windows.rangeUpTo(first)
    expect(first.keys.every((each) => each >= key && each < last)).toBe(true)
    expect(windows.current.keys.every((each) => each >= last)).toBe(true)
  })
})

describe('what the cluster says of its members', () => {
  const voter = (id: number, state: ListedMember['state'] = 'joined'): ListedMember => ({
    id,
    role: 'voter',
    state,
  })

  test('decides over what is run here, also where a removal was not answered', () => {
    const listed: ListedMember[] = [
      voter(1),
      voter(2),
      voter(3, 'leaving'),
      { id: 4, role: 'none', state: 'removed' },
      { id: 5, role: 'learner', state: 'joined' },
      { id: 6, role: 'none', state: 'invited' },
    ]
    expect(accountOf([1, 2, 3, 4, 5, 6, 7], listed)).toEqual({
      removed: [4],
      refused: [6, 7],
      leaving: [3],
      abandoned: [],
    })
  })

  test('has no node given up that has joined and receives nothing yet', () => {
    const listed: ListedMember[] = [voter(1), { id: 2, role: 'none', state: 'joined' }]
    expect(accountOf([1, 2], listed).refused).toEqual([])
  })

  test('shows a lost member that nobody replaces', () => {
    const lost = voter(3, 'leaving')
    expect(accountOf([1, 2], [voter(1), voter(2), lost]).abandoned).toEqual([3])
    expect(accountOf([1, 2], [voter(1), voter(2), { ...lost, replacedBy: 4 }]).abandoned).toEqual([3])
    expect(accountOf([1, 2, 4], [voter(1), voter(2), { ...lost, replacedBy: 4 }]).abandoned).toEqual([])
  })

  test('tells of each group that has fewer copies than it could have, or not where they belong', () => {
    const group = { name: 'orders', replicas: 3, members: [1, 2, 3], isSettled: true }
    const three = [voter(1), voter(2), voter(3)]
    const problems = (...changes: Partial<typeof group>[]): string[] =>
      lackingGroups([{ ...group, ...Object.assign({}, ...changes) }], three).map(({ problem }) => problem)
    expect(problems()).toEqual([])
    expect(problems({ replicas: 5 })).toEqual([])
    expect(problems({ members: [1, 2] })).toEqual([
      'group orders has 2 copies on 1, 2, settled; 3 are wanted, of members 1, 2, 3',
    ])
    expect(problems({ isSettled: false })[0]).toContain('not settled')
    expect(lackingGroups([group], [...three.slice(0, 2), voter(3, 'leaving'), voter(4)])).toHaveLength(1)
  })
})
